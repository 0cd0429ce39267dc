# SPDX-License-Identifier: Apache-2.0
foreach(noun base64 bytes crypto decimal file hex jsonw lines sjson timestamp)
  hsmd_unit_test(${noun} LINK hsmd-base)
endforeach()
