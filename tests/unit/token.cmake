# SPDX-License-Identifier: Apache-2.0
hsmd_unit_test(wire LINK hsmd-token-wire)
hsmd_unit_test(config LINK hsmd-config)
hsmd_unit_test(p11uri LINK hsmd-token-service)
hsmd_unit_test(pin LINK hsmd-token-service)
hsmd_unit_test(pinstate LINK hsmd-token-service)

# A PKCS#11 module that fails on demand; other system tests use it too.  Its place is build/tests/p11shim.so.
add_library(p11shim MODULE ${CMAKE_SOURCE_DIR}/tests/system/token/p11shim.c)
target_link_libraries(p11shim PRIVATE PkgConfig::P11KIT ${CMAKE_DL_LIBS})
set_target_properties(p11shim PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

add_test(NAME system-010-token COMMAND ${CMAKE_SOURCE_DIR}/tests/system/010-token)
set_tests_properties(system-010-token PROPERTIES LABELS system SKIP_RETURN_CODE 77 TIMEOUT 300
  ENVIRONMENT HSMD_BUILD=${CMAKE_BINARY_DIR})
