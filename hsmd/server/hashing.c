/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading artifacts in slices: requests take turns, so that a 10 GiB artifact delays nobody.
 *
 * What a format signs as content is copied to a sealed memfd on the way: the bytes that were hashed are the
 * bytes that will be signed.
 */
#include <assert.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "format/format.h"
#include "server/engine.h"

/* Work in one turn: about half a millisecond. */
#define HASHING_TURN_BYTES (128 * 1024)
#define HASHING_TURN_FILES 256

int hashing_add(Engine *e, Task *task)
{
        Request *request = task->request;

        task->next = NULL;
        if (request->hash_head)
                request->hash_tail->next = task;
        else
                request->hash_head = task;
        request->hash_tail = task;
        if (!request->hashing) {
                request->hashing = true;
                request->hash_next = NULL;
                if (e->hash_head)
                        e->hash_tail->hash_next = request;
                else
                        e->hash_head = request;
                e->hash_tail = request;
        }
        return error_fold(loop_arm(e->hash));
}

/* The request at the head has had its turn: to the end of the line, or out of it. */
static void hashing_rotate(Engine *e)
{
        Request *request = e->hash_head;

        e->hash_head = request->hash_next;
        if (!e->hash_head)
                e->hash_tail = NULL;
        request->hash_next = NULL;
        if (!request->hash_head) {
                request->hashing = false;
                return;
        }
        if (e->hash_head)
                e->hash_tail->hash_next = request;
        else
                e->hash_head = request;
        e->hash_tail = request;
}

void hashing_remove(Engine *e, Task *task)
{
        Request *request = task->request, **link = &e->hash_head, *previous_request = NULL;
        Task *previous = NULL;

        if (!request || !request->hashing)
                return;
        for (Task **t = &request->hash_head; *t; previous = *t, t = &(*t)->next)
                if (*t == task) {
                        *t = task->next;
                        task->next = NULL;
                        if (request->hash_tail == task)
                                request->hash_tail = previous;
                        break;
                }
        if (request->hash_head)
                return;
        while (*link != request) {
                assert(*link);
                previous_request = *link;
                link = &(*link)->hash_next;
        }
        *link = request->hash_next;
        if (e->hash_tail == request)
                e->hash_tail = previous_request;
        request->hash_next = NULL;
        request->hashing = false;
}

/* May a copy of this content exist now?  If so it is charged. */
static bool hashing_charge(Engine *e, Task *task)
{
        size_t of_uid = 0;

        for (JobId i = 0; i < LIMIT_JOBS; i++)
                if (e->tasks[i].content_size > 0 && e->tasks[i].uid == task->uid)
                        of_uid += e->tasks[i].content_size;
        if (of_uid + task->size > LIMIT_CONTENT_PER_UID ||
            e->content_size + task->size > LIMIT_CONTENT_TOTAL)
                return false;
        task->content_size = task->size;
        e->content_size += task->size;
        return true;
}

int hashing_release(Engine *e, Task *task)
{
        if (task->content_size == 0)
                return 0;
        assert(e->content_size >= task->content_size);
        e->content_size -= task->content_size;
        task->content_size = 0;
        return e->hash_head ? error_fold(loop_arm(e->hash)) : 0;
}

/*
 * First look at the fd: what it is, how large, and a copy to sign from if the format needs one.  Without a
 * hasher afterwards the task has a reason, or waits for room for that copy.
 */
static int hashing_begin(Engine *e, Task *task)
{
        struct stat st;
        int r;

        if (fstat(task->fd, &st) < 0 || !S_ISREG(st.st_mode)) {
                task->reason = REASON_ARTIFACT_TYPE;
                return 0;
        }
        task->has_size = true;
        task->size = (uint64_t)st.st_size;
        if (task->kind == TASK_SIGN && format_needs_content(task->format)) {
                if (task->size > LIMIT_CONTENT_SIZE) {
                        task->reason = REASON_ARTIFACT_TOO_LARGE;
                        return 0;
                }
                if (!hashing_charge(e, task))
                        return 0;
                task->copy_fd = memfd_create("artifact", MFD_CLOEXEC | MFD_ALLOW_SEALING);
                if (task->copy_fd < 0)
                        return error_origin(-errno);
        }
        r = hasher_new(&task->hasher);
        return error_fold(r);
}

static int hashing_copy(Task *task, const uint8_t *data, size_t size)
{
        if (task->copy_fd < 0)
                return 0;
        return error_fold(file_write_all(task->copy_fd, data, size));
}

/* All is read: the file must still be what it was when we began (failure F6). */
static int hashing_finish(Task *task)
{
        struct stat st;

        if (fstat(task->fd, &st) < 0 || (uint64_t)st.st_size != task->size) {
                task->reason = REASON_ARTIFACT_CHANGED;
                return 0;
        }
        hasher_finish(task->hasher, &task->digests);
        task->hasher = hasher_free(task->hasher);
        task->fd = close_fd(task->fd);
        if (task->copy_fd >= 0) {
                if (fcntl(task->copy_fd, F_ADD_SEALS,
                          F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
                        return error_origin(-errno);
                task->fd = TAKE_FD(task->copy_fd);
        }
        return 0;
}

/* One slice of one task.  *ret_done: it is read, or cannot be; `budget` shrinks by what was read.  A task
 * that waits for room changes nothing. */
static int hashing_slice(Engine *e, Task *task, size_t *budget, bool *ret_done)
{
        size_t want = sizeof(e->slice) < *budget ? sizeof(e->slice) : *budget;
        ssize_t n;
        int r;

        *ret_done = true;
        if (!task->hasher) {
                r = hashing_begin(e, task);
                if (r != 0 || task->reason != REASON_NONE)
                        return error_fold(r);
                if (!task->hasher) {
                        *ret_done = false;
                        return 0;
                }
        }
        n = pread(task->fd, e->slice, want, (off_t)task->offset);
        if (n < 0) {
                task->reason = REASON_ARTIFACT_UNREADABLE;
                return 0;
        }
        if (task->offset + (size_t)n > task->size || (n == 0 && task->offset != task->size)) {
                task->reason = REASON_ARTIFACT_CHANGED;
                return 0;
        }
        hasher_update(task->hasher, e->slice, (size_t)n);
        r = hashing_copy(task, e->slice, (size_t)n);
        if (r != 0)
                return error_fold(r);
        task->offset += (size_t)n;
        *budget -= (size_t)n;
        /* Growth is seen at the end: the size is compared once more. */
        if (n > 0 && task->offset < task->size) {
                *ret_done = false;
                return 0;
        }
        return error_fold(hashing_finish(task));
}

int hashing_on_turn(void *userdata)
{
        Engine *e = userdata;
        size_t budget = HASHING_TURN_BYTES;
        const Request *waits = NULL; /* the first of those in a row that wait for room */

        for (unsigned files = 0; e->hash_head && budget > 0 && files < HASHING_TURN_FILES; files++) {
                Request *request = e->hash_head;
                Task *task = request->hash_head;
                bool done;
                int r;

                if (request == waits)
                        return 0; /* all of them do: hashing_release() goes on */
                r = hashing_slice(e, task, &budget, &done);
                if (r != 0)
                        return error_fold(r);
                waits = done || task->hasher ? NULL : waits ? waits : request;
                if (done) {
                        request->hash_head = task->next;
                        task->next = NULL;
                }
                hashing_rotate(e);
                if (done) {
                        r = decide_task(e, task); /* may end the request */
                        if (r != 0)
                                return error_fold(r);
                }
        }
        return e->hash_head ? error_fold(loop_arm(e->hash)) : 0;
}
