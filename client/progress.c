/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/progress.h"
#include "client/varlink.h"

#define PROGRESS_USEC 100000

void progress_init(Progress *p, const char *what, uint64_t total)
{
        const char *term = secure_getenv("TERM");

        assert(p);
        assert(what);

        *p = (Progress){.what = what, .total = total};
        p->enabled = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
}

void progress_update(Progress *p, uint64_t done)
{
        uint64_t now;

        if (!p->enabled)
                return;
        now = varlink_now_usec();
        if (now < p->next_usec)
                return;
        p->next_usec = now + PROGRESS_USEC;
        p->shown = true;
        if (p->total > 0)
                (void)fprintf(stderr, "\r%s %llu/%llu (%llu%%)\033[K", p->what, (unsigned long long)done,
                              (unsigned long long)p->total, (unsigned long long)(done * 100 / p->total));
        else
                (void)fprintf(stderr, "\r%s %llu\033[K", p->what, (unsigned long long)done);
        (void)fflush(stderr);
}

void progress_clear(Progress *p)
{
        if (!p->shown)
                return;
        (void)fputs("\r\033[K", stderr);
        (void)fflush(stderr);
        p->shown = false;
        p->next_usec = 0;
}
