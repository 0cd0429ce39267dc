# SPDX-License-Identifier: Apache-2.0
foreach(noun account refusals stats)
  hsmd_unit_test(${noun} LINK hsmd-server)
endforeach()
# With a clock that can be put forward.
foreach(noun engine evidence hashing loop methods peer)
  hsmd_unit_test(${noun} SOURCES loop-clock.c LINK hsmd-server PkgConfig::SYSTEMD)
endforeach()
