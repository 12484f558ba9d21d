// SPDX-License-Identifier: GPL-2.0-only
/*
 * The os library of this port: time, date, clock, difftime, in Coordinated Universal Time.
 *
 * The kernel knows no time zone and no locale, so local time is UTC and names are English, as in the C
 * locale. The proleptic Gregorian calendar is computed here ("chrono-Compatible Low-Level Date
 * Algorithms", H. Hinnant, 2013). Left out: everything about processes, files and the environment.
 */
#include <limits.h>
#include <string.h>

#include "lua.h"

#include "lauxlib.h"
#include "lualib.h"

#define DAY	86400LL

struct date {
	long long year;
	int month, day;		/* from 1 */
	int hour, min, sec;
	int wday;		/* 0 is Sunday */
	int yday;		/* from 0 */
};

/* {=== calendar ============================================================================== */

static long long floor_div(long long a, long long b)
{
	return a / b - (a % b < 0);
}

/* Days from 1970-01-01 to the day before the first of `month` (1 to 12) of `year`, and `day` more. */
static long long days_of(long long year, int month, long long day)
{
	long long era, y = month <= 2 ? year - 1 : year;
	long long year_of_era, day_of_year;

	era = floor_div(y, 400);
	year_of_era = y - era * 400;
	day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 - 1;
	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468 + day;
}

static void date_of(long long time, struct date *d)
{
	long long days = floor_div(time, DAY), seconds = time - days * DAY;
	long long shifted = days + 719468, era = floor_div(shifted, 146097);
	long long doe = shifted - era * 146097;
	long long yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	long long doy = doe - (365 * yoe + yoe / 4 - yoe / 100), month = (5 * doy + 2) / 153;

	d->day = (int)(doy - (153 * month + 2) / 5 + 1);
	d->month = (int)(month < 10 ? month + 3 : month - 9);
	d->year = yoe + era * 400 + (d->month <= 2);
	d->hour = (int)(seconds / 3600);
	d->min = (int)(seconds / 60 % 60);
	d->sec = (int)(seconds % 60);
	d->wday = (int)(days + 4 - floor_div(days + 4, 7) * 7);
	d->yday = (int)(days - days_of(d->year, 1, 1));
}

static int is_leap(long long year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

/* ISO 8601: the week of the year, and the year that this week belongs to. */
static int iso_week(const struct date *d, long long *year)
{
	int monday = (d->wday + 6) % 7;
	int week = (d->yday - monday + 10) / 7;

	*year = d->year;
	if (week < 1) {
		int days;

		--*year;
		days = d->yday + 365 + is_leap(*year);
		return (days - monday + 10) / 7;
	}
	if (week == 53 && d->yday - monday + 3 >= 365 + is_leap(d->year)) {
		++*year;
		return 1;
	}
	return week;
}

/* ============================================================================================ }
 * {=== text ================================================================================== */

static const char *const day_names[] = {
	"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday",
};
static const char *const month_names[] = {
	"January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
	"November", "December",
};

/* A number of at least `width` places, filled up with `fill`. */
static void add_number(luaL_Buffer *b, long long n, int width, char fill)
{
	char digits[24];
	int len = lunatik_integer2str(digits, sizeof(digits), n < 0 ? -n : n);

	if (n < 0)
		luaL_addchar(b, '-');
	for (; len < width; width--)
		luaL_addchar(b, fill);
	luaL_addstring(b, digits);
}

/* One conversion of strftime in the C locale; returns 0 if there is none of that letter. */
static int add_item(luaL_Buffer *b, const struct date *d, long long time, int letter)
{
	static const struct {
		char letter;
		const char *same;
	} compound[] = {
		{ 'c', "a b e T Y" }, { 'D', "m/d/y" }, { 'F', "Y-m-d" }, { 'r', "I:M:S p" },
		{ 'R', "H:M" }, { 'T', "H:M:S" }, { 'x', "m/d/y" }, { 'X', "H:M:S" },
	};
	int hour12 = d->hour % 12 ? d->hour % 12 : 12;
	long long year;
	size_t i;

	for (i = 0; i < sizeof(compound) / sizeof(compound[0]); i++) {
		const char *p = compound[i].same;

		if (compound[i].letter != letter)
			continue;
		for (; *p != '\0'; p++) {
			if ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z')
				add_item(b, d, time, *p);
			else
				luaL_addchar(b, *p);
		}
		return 1;
	}
	switch (letter) {
	case 'a': luaL_addlstring(b, day_names[d->wday], 3); break;
	case 'A': luaL_addstring(b, day_names[d->wday]); break;
	case 'b':
	case 'h': luaL_addlstring(b, month_names[d->month - 1], 3); break;
	case 'B': luaL_addstring(b, month_names[d->month - 1]); break;
	case 'C': add_number(b, floor_div(d->year, 100), 2, '0'); break;
	case 'd': add_number(b, d->day, 2, '0'); break;
	case 'e': add_number(b, d->day, 2, ' '); break;
	case 'g': iso_week(d, &year); add_number(b, year - floor_div(year, 100) * 100, 2, '0'); break;
	case 'G': iso_week(d, &year); add_number(b, year, 1, '0'); break;
	case 'H': add_number(b, d->hour, 2, '0'); break;
	case 'I': add_number(b, hour12, 2, '0'); break;
	case 'j': add_number(b, d->yday + 1, 3, '0'); break;
	case 'm': add_number(b, d->month, 2, '0'); break;
	case 'M': add_number(b, d->min, 2, '0'); break;
	case 'n': luaL_addchar(b, '\n'); break;
	case 'p': luaL_addstring(b, d->hour < 12 ? "AM" : "PM"); break;
	case 's': add_number(b, time, 1, '0'); break;
	case 'S': add_number(b, d->sec, 2, '0'); break;
	case 't': luaL_addchar(b, '\t'); break;
	case 'u': add_number(b, d->wday ? d->wday : 7, 1, '0'); break;
	case 'U': add_number(b, (d->yday + 7 - d->wday) / 7, 2, '0'); break;
	case 'V': add_number(b, iso_week(d, &year), 2, '0'); break;
	case 'w': add_number(b, d->wday, 1, '0'); break;
	case 'W': add_number(b, (d->yday + 7 - (d->wday + 6) % 7) / 7, 2, '0'); break;
	case 'y': add_number(b, d->year - floor_div(d->year, 100) * 100, 2, '0'); break;
	case 'Y': add_number(b, d->year, 1, '0'); break;
	case 'z': luaL_addstring(b, "+0000"); break;
	case 'Z': luaL_addstring(b, "GMT"); break;
	case '%': luaL_addchar(b, '%'); break;
	default: return 0;
	}
	return 1;
}

/* What C99 and POSIX allow after %, %E and %O; the C locale has no alternatives, so E and O are dropped. */
static const char *add_conversion(luaL_Buffer *b, const struct date *d, long long time, const char *s, size_t left)
{
	lua_State *L = b->L;

	if (left >= 2 && ((s[0] == 'E' && strchr("cCxXyY", s[1]) && s[1]) ||
			  (s[0] == 'O' && strchr("deHImMSuUVwWy", s[1]) && s[1]))) {
		add_item(b, d, time, s[1]);
		return s + 2;
	}
	if (left >= 1 && s[0] != 's' && s[0] != '\0' && add_item(b, d, time, s[0]))
		return s + 1;
	luaL_argerror(L, 1, lua_pushfstring(L, "invalid conversion specifier '%%%s'", s));
	return s;
}

/* ============================================================================================ }
 * {=== tables ================================================================================ */

static void set_field(lua_State *L, const char *key, long long value)
{
	lua_pushinteger(L, value);
	lua_setfield(L, -2, key);
}

static void set_all_fields(lua_State *L, const struct date *d)
{
	set_field(L, "year", d->year);
	set_field(L, "month", d->month);
	set_field(L, "day", d->day);
	set_field(L, "hour", d->hour);
	set_field(L, "min", d->min);
	set_field(L, "sec", d->sec);
	set_field(L, "yday", d->yday + 1);
	set_field(L, "wday", d->wday + 1);
	lua_pushboolean(L, 0);
	lua_setfield(L, -2, "isdst");
}

/* An integer field within int's range; `otherwise` below 0 makes it required. */
static long long get_field(lua_State *L, const char *key, int otherwise, int delta)
{
	int isnum, type = lua_getfield(L, -1, key);
	lua_Integer value = lua_tointegerx(L, -1, &isnum);

	if (!isnum) {
		if (type != LUA_TNIL)
			return luaL_error(L, "field '%s' is not an integer", key);
		if (otherwise < 0)
			return luaL_error(L, "field '%s' missing in date table", key);
		value = otherwise;
	} else {
		if (!(-(INT_MAX / 2) <= value && value <= INT_MAX / 2))
			return luaL_error(L, "field '%s' is out-of-bound", key);
		value -= delta;
	}
	lua_pop(L, 1);
	return value;
}

/* A time whose year fits into an int, as with struct tm. */
static void checked_date(lua_State *L, long long time, struct date *d)
{
	if (time > 67768036191676799LL || time < -67768040609740800LL)
		luaL_error(L, "time result cannot be represented in this installation");
	date_of(time, d);
}

/* ============================================================================================ }
 * {=== library =============================================================================== */

/* os.clock() -> seconds, a float: see lunatik_clock_ns. */
static int os_clock(lua_State *L)
{
	lua_pushnumber(L, (lua_Number)(lua_Integer)(lunatik_clock_ns(L) / 1000) / 1e6);
	return 1;
}

/* os.date([format [, time]]) -> text, or a table for "*t"; a leading "!" changes nothing. */
static int os_date(lua_State *L)
{
	size_t len;
	const char *s = luaL_optlstring(L, 1, "%c", &len), *end = s + len;
	long long time = luaL_opt(L, luaL_checkinteger, 2, lunatik_time());
	struct date d;
	luaL_Buffer b;

	checked_date(L, time, &d);
	if (*s == '!')
		s++;
	if (strcmp(s, "*t") == 0) {
		lua_createtable(L, 0, 9);
		set_all_fields(L, &d);
		return 1;
	}
	luaL_buffinit(L, &b);
	while (s < end) {
		luai_pollat(L, (size_t)s, LUAI_POLLITEMS);
		if (*s != '%') {
			luaL_addchar(&b, *s++);
		} else {
			s++;
			s = add_conversion(&b, &d, time, s, (size_t)(end - s));
		}
	}
	luaL_pushresult(&b);
	return 1;
}

/* os.time([table]) -> seconds since 1970; the table's fields may be out of range and are normalised in it. */
static int os_time(lua_State *L)
{
	long long time, month;
	struct date d;

	if (lua_isnoneornil(L, 1)) {
		lua_pushinteger(L, lunatik_time());
		return 1;
	}
	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	time = get_field(L, "sec", 0, 0);
	time += get_field(L, "min", 0, 0) * 60;
	time += get_field(L, "hour", 12, 0) * 3600;
	d.year = 0;
	{
		long long day = get_field(L, "day", -1, 0);
		long long year;

		month = get_field(L, "month", -1, 1);
		year = get_field(L, "year", -1, 1900) + 1900;
		year += floor_div(month, 12);
		month -= floor_div(month, 12) * 12;
		time += days_of(year, (int)month + 1, day) * DAY;
	}
	checked_date(L, time, &d);
	set_all_fields(L, &d);
	lua_pushinteger(L, time);
	return 1;
}

/* os.difftime(a, b) -> a - b in seconds, a float. */
static int os_difftime(lua_State *L)
{
	lua_Number a = (lua_Number)luaL_checkinteger(L, 1);
	lua_Number b = (lua_Number)luaL_checkinteger(L, 2);

	lua_pushnumber(L, a - b);
	return 1;
}

static const luaL_Reg functions[] = {
	{ "clock", os_clock },
	{ "date", os_date },
	{ "difftime", os_difftime },
	{ "time", os_time },
	{ NULL, NULL },
};

int luaopen_os(lua_State *L)
{
	luaL_newlib(L, functions);
	return 1;
}

/* ============================================================================================ } */
