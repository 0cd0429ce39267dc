/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/policy-fault.h"

#include <stdio.h>

#include "base/error.h"

int policy_faults_init(PolicyFaults *f)
{
        int r;

        assert(f);

        *f = (PolicyFaults){0};
        r = memory_new0(&f->items, POLICY_FAULTS_MAX);
        if (r)
                return error_fold(r);
        return 0;
}

void policy_faults_deinit(PolicyFaults *f)
{
        assert(f);

        free(f->items);
        *f = (PolicyFaults){0};
}

void policy_fault_add(PolicyFaults *f, unsigned line, unsigned column, const char *format, ...)
{
        PolicyFault *fault;
        va_list args;

        assert(f && f->items);
        assert(f->n <= POLICY_FAULTS_MAX);

        if (f->n == POLICY_FAULTS_MAX)
                return;

        fault = &f->items[f->n++];
        fault->line = line;
        fault->column = column;
        if (f->n == POLICY_FAULTS_MAX)
                format = "there are more faults than these";
        va_start(args, format);
        (void)vsnprintf(fault->text, sizeof(fault->text), format, args); /* cut if it has to be */
        va_end(args);
}

static int fault_compare(const void *a, const void *b)
{
        const PolicyFault *x = a, *y = b;

        if (x->line != y->line)
                return x->line < y->line ? -1 : 1;
        if (x->column != y->column)
                return x->column < y->column ? -1 : 1;
        return strcmp(x->text, y->text);
}

void policy_faults_sort(PolicyFaults *f)
{
        size_t n;

        assert(f);

        n = f->n == POLICY_FAULTS_MAX ? f->n - 1 : f->n;
        if (n > 1)
                qsort(f->items, n, sizeof(*f->items), fault_compare);
}
