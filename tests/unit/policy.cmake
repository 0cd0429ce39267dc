foreach(noun policy policy-faults dsse attestation attestation-write decision decision-scope decision-quorum)
  hsmd_unit_test(${noun} LINK hsmd-policy)
endforeach()
