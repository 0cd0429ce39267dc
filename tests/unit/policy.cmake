foreach(noun policy policy-faults policy-memory dsse attestation attestation-write decision decision-scope decision-quorum)
  hsmd_unit_test(${noun} LINK hsmd-policy)
endforeach()
target_link_options(test-policy-memory PRIVATE -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc)
