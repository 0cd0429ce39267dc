# SPDX-License-Identifier: Apache-2.0
foreach(noun core schedule simulation)
  hsmd_unit_test(${noun} LINK hsmd-core)
endforeach()
hsmd_unit_test(format LINK hsmd-format)
