/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "token/pin.h"

void pin_wipe(Pin *pin)
{
        assert(pin);
        secure_free(pin->data, PIN_SIZE_MAX + 2);
        *pin = PIN_NULL;
}

static int pin_path(char **ret, const Config *config, Report *report)
{
        const char *folder;

        if (config->pin_file)
                return error_fold(string_copy(ret, config->pin_file));
        folder = secure_getenv("CREDENTIALS_DIRECTORY");
        if (!folder) {
                report_set(report, TOKEN_FAULT,
                           "there is no credential %s: CREDENTIALS_DIRECTORY is not set; add "
                           "LoadCredential= to the unit",
                           config->pin_credential);
                return PIN_E_REFUSED;
        }
        return error_fold(string_printf(ret, "%s/%s", folder, config->pin_credential));
}

static int pin_check_file(int fd, const char *path, bool credential, Report *report)
{
        mode_t foreign = credential ? S_IRWXO : S_IRWXG | S_IRWXO;
        struct stat st;

        if (fstat(fd, &st) < 0)
                return error_origin(-errno);
        if (!S_ISREG(st.st_mode)) {
                report_set(report, TOKEN_FAULT, "PIN file %s is not a regular file", path);
                return PIN_E_REFUSED;
        }
        if (st.st_uid != 0 && st.st_uid != geteuid()) {
                report_set(report, TOKEN_FAULT,
                           "PIN file %s belongs to neither root nor the user of hsmd-token", path);
                return PIN_E_REFUSED;
        }
        if (st.st_mode & foreign) {
                report_set(report, TOKEN_FAULT, "PIN file %s is open to others: chmod 0400 it", path);
                return PIN_E_REFUSED;
        }
        return 0;
}

/* The content goes from the kernel to secure memory and nowhere else. */
static int pin_read_fd(Pin *pin, int fd, const char *path, Report *report)
{
        ssize_t n;

        for (;;) {
                n = read(fd, pin->data + pin->size, PIN_SIZE_MAX + 1 - pin->size);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return error_origin(-errno);
                if (n == 0)
                        break;
                pin->size += (size_t)n;
                if (pin->size > PIN_SIZE_MAX)
                        break;
        }
        if (pin->size > 0 && pin->data[pin->size - 1] == '\n')
                pin->size--;
        if (pin->size == 0 || pin->size > PIN_SIZE_MAX || memchr(pin->data, 0, pin->size)) {
                report_set(report, TOKEN_FAULT, "PIN file %s is empty, too long, or not text", path);
                return PIN_E_REFUSED;
        }
        pin->data[pin->size] = '\0';
        return 0;
}

int pin_read(Pin *ret, const Config *config, Report *report)
{
        _cleanup_(freep) char *path = NULL;
        _cleanup_(close_fdp) int fd = -1;
        _cleanup_(pin_wipe) Pin pin = PIN_NULL;
        int r;

        assert(ret);
        assert(config);
        assert(report);

        r = pin_path(&path, config, report);
        if (r)
                return r;
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        if (fd < 0) {
                report_set(report, TOKEN_FAULT, "PIN file %s cannot be opened: %s", path,
                           strerrordesc_np(errno));
                return PIN_E_REFUSED;
        }
        r = pin_check_file(fd, path, config->pin_credential != NULL, report);
        if (r)
                return r;
        r = secure_new(&pin.data, PIN_SIZE_MAX + 2);
        if (r)
                return error_fold(r);
        r = pin_read_fd(&pin, fd, path, report);
        if (r)
                return r;
        *ret = pin;
        pin = PIN_NULL;
        return 0;
}
