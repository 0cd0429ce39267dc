# SPDX-License-Identifier: Apache-2.0
hsmd_unit_test(wire LINK hsmd-token-wire)
hsmd_unit_test(config LINK hsmd-config)
