# SPDX-License-Identifier: Apache-2.0
# With a clock that can be put forward.
foreach(noun engine peer)
  hsmd_unit_test(${noun} SOURCES loop-clock.c LINK hsmd-server)
  target_link_libraries(test-${noun} PRIVATE PkgConfig::SYSTEMD)
endforeach()
