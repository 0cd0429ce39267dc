# The writing half of the journal.
foreach(noun index journal journal-crash journal-open journal-publish keys range store tiles)
  hsmd_unit_test(${noun} LINK hsmd-journal)
endforeach()
