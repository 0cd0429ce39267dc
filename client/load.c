/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/error.h"

#include "client/command.h"
#include "client/load.h"
#include "client/report.h"
#include "client/text.h"

int load_trust(Trust **ret, const char *path)
{
        _cleanup_(buffer_deinit) Buffer text = BUFFER_NULL;
        PolicyFault fault;
        int r;

        assert(ret);
        assert(path);

        r = report_file_read(&text, path, LIMIT_POLICY_SIZE);
        if (r)
                return r;
        r = trust_parse(ret, buffer_blob(&text), &fault);
        if (r < 0)
                return report_errno(r);
        if (r > 0)
                return report_failure(EXIT_USAGE, "trust-file", "%s:%u:%u: %s", path, fault.line,
                                      fault.column, fault.text);
        return 0;
}

void load_print_fault(const char *path, const PolicyFault *fault)
{
        assert(path);
        assert(fault);

        text_printf(stdout, "%s:%u:%u: %s\n", path, fault->line, fault->column, fault->text);
}
