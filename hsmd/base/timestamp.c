/* SPDX-License-Identifier: Apache-2.0 */
#include <stdbool.h>
#include <string.h>

#include "base/timestamp.h"

#define USEC_PER_SEC     UINT64_C(1000000)
#define SEC_PER_DAY      86400
#define YEAR_10000_SEC   UINT64_C(253402300800)
#define DATE_TIME_DIGITS "dddd-dd-ddTdd:dd:dd"
#define MAX_FRACTION     9

/* Days are counted in eras of 400 years that begin on 1 March, so that the leap day is the last of its year.
 */
#define DAYS_PER_ERA 146097
#define DAYS_TO_1970 719468 /* from 0000-03-01 */

static unsigned days_from_date(unsigned year, unsigned month, unsigned day)
{
        unsigned y = month <= 2 ? year - 1 : year;
        unsigned era = y / 400, year_of_era = y % 400;
        unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

        return era * DAYS_PER_ERA + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
               DAYS_TO_1970;
}

static void date_from_days(unsigned days, unsigned *ret_year, unsigned *ret_month, unsigned *ret_day)
{
        unsigned era = (days + DAYS_TO_1970) / DAYS_PER_ERA;
        unsigned day_of_era = (days + DAYS_TO_1970) % DAYS_PER_ERA;
        unsigned year_of_era =
                (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
        unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        unsigned m = (5 * day_of_year + 2) / 153;

        *ret_day = day_of_year - (153 * m + 2) / 5 + 1;
        *ret_month = m < 10 ? m + 3 : m - 9;
        *ret_year = era * 400 + year_of_era + (*ret_month <= 2);
}

static void put_digits(char *p, unsigned v, unsigned n)
{
        while (n-- > 0) {
                p[n] = (char)('0' + v % 10);
                v /= 10;
        }
}

static unsigned get_digits(const char *p, size_t n)
{
        unsigned v = 0;

        for (size_t i = 0; i < n; i++)
                v = v * 10 + (unsigned)(p[i] - '0');
        return v;
}

void timestamp_encode(char ret[static TIMESTAMP_SIZE], uint64_t usec)
{
        uint64_t sec = usec / USEC_PER_SEC;
        unsigned year, month, day, second;

        assert(ret);
        assert(sec < YEAR_10000_SEC);

        date_from_days((unsigned)(sec / SEC_PER_DAY), &year, &month, &day);
        second = (unsigned)(sec % SEC_PER_DAY);

        memcpy(ret, "YYYY-MM-DDTHH:MM:SS.ffffffZ", TIMESTAMP_SIZE);
        put_digits(ret, year, 4);
        put_digits(ret + 5, month, 2);
        put_digits(ret + 8, day, 2);
        put_digits(ret + 11, second / 3600, 2);
        put_digits(ret + 14, second / 60 % 60, 2);
        put_digits(ret + 17, second % 60, 2);
        put_digits(ret + 20, (unsigned)(usec % USEC_PER_SEC), 6);
}

static bool is_digit(char c)
{
        return c >= '0' && c <= '9';
}

static bool date_time_matches(const char *text)
{
        static const char shape[] = DATE_TIME_DIGITS;

        for (size_t i = 0; i < sizeof(shape) - 1; i++)
                if (shape[i] == 'd' ? !is_digit(text[i]) : text[i] != shape[i])
                        return false;
        return true;
}

static bool date_exists(unsigned year, unsigned month, unsigned day)
{
        static const uint8_t days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
        bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

        if (month < 1 || month > 12 || day < 1)
                return false;
        return day <= days[month - 1] + (unsigned)(month == 2 && leap);
}

/* `text` begins after the seconds: "Z" or "." digits "Z". */
static bool fraction_decode(unsigned *ret_usec, const char *text, size_t size)
{
        unsigned usec = 0;

        if (size < 1 || text[size - 1] != 'Z')
                return false;
        if (size == 1) {
                *ret_usec = 0;
                return true;
        }
        if (text[0] != '.' || size < 3 || size > MAX_FRACTION + 2)
                return false;

        for (size_t i = 0; i < MAX_FRACTION; i++) {
                bool present = i + 2 < size;

                if (present && !is_digit(text[i + 1]))
                        return false;
                if (i < 6)
                        usec = usec * 10 + (present ? (unsigned)(text[i + 1] - '0') : 0);
        }
        *ret_usec = usec;
        return true;
}

int timestamp_decode(uint64_t *ret_usec, const char *text, size_t size)
{
        static const size_t shape_size = sizeof(DATE_TIME_DIGITS) - 1;
        unsigned year, month, day, hour, minute, second, usec;
        uint64_t sec;

        assert(ret_usec);
        assert(text || size == 0);

        if (size < shape_size || !date_time_matches(text))
                return TIMESTAMP_E_INVALID;
        year = get_digits(text, 4);
        month = get_digits(text + 5, 2);
        day = get_digits(text + 8, 2);
        hour = get_digits(text + 11, 2);
        minute = get_digits(text + 14, 2);
        second = get_digits(text + 17, 2);
        if (year < 1970 || !date_exists(year, month, day) || hour > 23 || minute > 59 || second > 59)
                return TIMESTAMP_E_INVALID;
        if (!fraction_decode(&usec, text + shape_size, size - shape_size))
                return TIMESTAMP_E_INVALID;

        sec = (uint64_t)days_from_date(year, month, day) * SEC_PER_DAY + hour * 3600 + minute * 60 + second;
        *ret_usec = sec * USEC_PER_SEC + usec;
        return 0;
}
