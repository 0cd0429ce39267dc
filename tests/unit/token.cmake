# SPDX-License-Identifier: Apache-2.0
hsmd_unit_test(wire LINK hsmd-token-wire)
hsmd_unit_test(config LINK hsmd-config)
hsmd_unit_test(p11uri LINK hsmd-token-service)
hsmd_unit_test(pin LINK hsmd-token-service)
hsmd_unit_test(pinstate LINK hsmd-token-service)

