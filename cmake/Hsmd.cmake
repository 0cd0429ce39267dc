# SPDX-License-Identifier: Apache-2.0
# Options, warnings and the three functions that the folders use.

option(HSMD_TESTS "Build the tests (needs cmocka)" OFF)
option(HSMD_WERROR "Warnings are errors" OFF)
option(HSMD_COVERAGE "Instrument for gcov; NEVER() becomes a constant" OFF)
set(HSMD_SANITIZE "" CACHE STRING "Comma-separated sanitizers, e.g. address,undefined")

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()

# Assertions stay on in every build: better no signature than a wrong one.
string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELEASE "${CMAKE_C_FLAGS_RELEASE}")
string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELWITHDEBINFO "${CMAKE_C_FLAGS_RELWITHDEBINFO}")

add_compile_definitions(_GNU_SOURCE HSMD_VERSION="${PROJECT_VERSION}")
add_compile_options(
  -Wall -Wextra -Wshadow -Wundef -Wswitch-enum -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wvla
  -Wformat=2 -Wpointer-arith -Wcast-qual -fno-common -fvisibility=hidden -fno-strict-aliasing)
# Reproducible: no path of the build machine in any object.
add_compile_options(-ffile-prefix-map=${CMAKE_SOURCE_DIR}=. -ffile-prefix-map=${CMAKE_BINARY_DIR}=build)
if(HSMD_WERROR)
  add_compile_options(-Werror)
endif()
if(HSMD_COVERAGE)
  add_compile_options(--coverage -O0)
  add_compile_definitions(HSMD_COVERAGE)
  add_link_options(--coverage)
endif()
if(HSMD_SANITIZE)
  add_compile_options(-fsanitize=${HSMD_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${HSMD_SANITIZE})
else()
  if(NOT CMAKE_BUILD_TYPE STREQUAL "Debug" AND NOT HSMD_COVERAGE)
    add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
  endif()
  add_compile_options(-fstack-protector-strong)
endif()
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed)

# hsmd_library(NAME SOURCES ... LINK ...): one folder, one static library.
function(hsmd_library name)
  cmake_parse_arguments(ARG "CONVERSION" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_SOURCES})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR}/hsmd ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${ARG_LINK})
  if(ARG_CONVERSION)
    target_compile_options(${name} PRIVATE -Wconversion)
  endif()
endfunction()

# hsmd_program(NAME SOURCES ... LINK ...): a position-independent executable.
function(hsmd_program name)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${ARG_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR}/hsmd ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${ARG_LINK})
  target_link_options(${name} PRIVATE -pie)
endfunction()

# hsmd_unit_test(FILE LINK ...): tests/unit/test-<noun>.c becomes the ctest unit-<noun>, label unit.
function(hsmd_unit_test noun)
  cmake_parse_arguments(ARG "" "" "SOURCES;LINK" ${ARGN})
  add_executable(test-${noun} test-${noun}.c ${ARG_SOURCES})
  target_include_directories(test-${noun} PRIVATE ${CMAKE_SOURCE_DIR}/hsmd ${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/tests)
  target_link_libraries(test-${noun} PRIVATE ${ARG_LINK} PkgConfig::CMOCKA)
  target_compile_definitions(test-${noun} PRIVATE TEST_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  add_test(NAME unit-${noun} COMMAND test-${noun})
  set_tests_properties(unit-${noun} PROPERTIES LABELS unit TIMEOUT 120)
endfunction()
