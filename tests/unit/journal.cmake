# SPDX-License-Identifier: Apache-2.0
hsmd_unit_test(checkpoint LINK hsmd-journal-verify)
hsmd_unit_test(entry LINK hsmd-journal-verify)
hsmd_unit_test(note LINK hsmd-journal-verify)
hsmd_unit_test(proof LINK hsmd-journal-verify)
hsmd_unit_test(tree LINK hsmd-journal-verify)
# Alone: the tree needs nothing of the writing half, and its test nothing but the tree.
hsmd_unit_test(merkle SOURCES ${CMAKE_SOURCE_DIR}/hsmd/journal/merkle.c LINK hsmd-journal-verify)

# The verifier that shares no code with hsmd, against logs that share none either.
find_package(Python3 COMPONENTS Interpreter REQUIRED)
add_test(NAME unit-verify COMMAND ${Python3_EXECUTABLE} -B ${CMAKE_SOURCE_DIR}/tests/lib/test_verify.py)
set_tests_properties(unit-verify PROPERTIES LABELS unit TIMEOUT 120)

include(${CMAKE_CURRENT_LIST_DIR}/journal-store.cmake OPTIONAL)
