# The writing half of the journal.
foreach(noun index journal journal-crash journal-open journal-publish keys range store tiles)
  hsmd_unit_test(${noun} LINK hsmd-journal)
endforeach()
hsmd_program(journal-bench SOURCES ${CMAKE_SOURCE_DIR}/tests/bench/journal-bench.c LINK hsmd-journal)
