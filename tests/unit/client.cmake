# SPDX-License-Identifier: Apache-2.0
foreach(noun intentset logcheck options result text trust varlink-client verification)
  hsmd_unit_test(${noun} SOURCES client-data.c LINK hsmctl-lib)
endforeach()
