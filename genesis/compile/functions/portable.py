"""The functions and operators that give the same on every engine: the list that all else follows.

What counts as portable, the types of results, the hints and `docs/functions.md` come from here;
`tests/functions/rows` shows each with values. The surprise: where engines differ, the list says
what is meant, and the modules of `dialects` write it. The names are Trino's, with few exceptions.
"""

from __future__ import annotations

import functools
import re
from typing import NamedTuple


class Portable(NamedTuple):
    """A function or operator: how it is written, its result's type, what it gives, an example.

    `result` is a type of the language, or words that say how it follows from the arguments.
    `beware` is a difference between engines that is left.
    """

    signature: str
    result: str
    gives: str
    example: str
    beware: str = ""
    also: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        return self.signature.partition("(")[0]


_FIRST = "as its first argument"
_ALL = "the type that holds all arguments"

TEXT = (
    Portable("a || b", "string", "Two texts joined; NULL where one is NULL.", "'ab' || 'cd'"),
    Portable("concat(text, text, ...)", "string", "All texts joined; NULL where one is NULL.", "concat('a', 'b', 'c')"),
    Portable("concat_ws(separator, text, ...)", "string", "The texts that are not NULL, with the separator between them; NULL where the separator is NULL.", "concat_ws(', ', 'a', null, 'b')"),
    Portable("length(text)", "integer", "Its number of characters, each code point being one.", "length('🎬 ab')", also=("char_length",)),
    Portable("upper(text)", "string", "In upper case; `ß` becomes `ẞ`.", "upper('Straße')", "27 letters that Unicode 16 added (Garay, Latin for linguists) have a case on Trino alone."),
    Portable("lower(text)", "string", "In lower case.", "lower('ÀB')", "See `upper`."),
    Portable("trim(text)", "string", "Without white space at both ends, Unicode's included, no-break spaces excluded; `trim(leading 'x' from text)`, `trailing`, `both` take other characters away.", "trim('  ab ')"),
    Portable("ltrim(text)", "string", "Without white space at its start.", "ltrim('  ab ')"),
    Portable("rtrim(text)", "string", "Without white space at its end.", "rtrim('  ab ')"),
    Portable("substr(text, start[, length])", "string", "The part from a character on, the first being 1; a negative start counts from the end; a start at 0 or before the text gives empty text.", "substr('abcdef', 2, 3)", also=("substring",)),
    Portable("left(text, n)", "string", "The first n characters, all where there are fewer; empty text where n is not positive.", "left('abcdef', 2)"),
    Portable("right(text, n)", "string", "The last n characters, all where there are fewer; empty text where n is not positive.", "right('abcdef', 2)"),
    Portable("replace(text, found[, instead])", "string", "Every occurrence replaced, or left out; looking for empty text changes nothing.", "replace('a-b-c', '-', '+')"),
    Portable("reverse(text)", "string", "Its characters backwards, each code point being one.", "reverse('abc')"),
    Portable("strpos(text, part)", "integer", "Where a part first stands, from 1; 0 where it does not, 1 for an empty part.", "strpos('abcb', 'b')"),
    Portable("position(part in text)", "integer", "As `strpos`.", "position('b' in 'abcb')"),
    Portable("split_part(text, delimiter, n)", "string", "The n-th part between delimiters; NULL where there are fewer. `n` is written as a number, from 1.", "split_part('a,b,c', ',', 2)"),
    Portable("starts_with(text, start)", "boolean", "Whether a text starts with another; all start with empty text.", "starts_with('abc', 'ab')"),
    Portable("ends_with(text, end)", "boolean", "Whether a text ends with another; all end with empty text.", "ends_with('abc', 'bc')"),
    Portable("lpad(text, length, filling)", "string", "Filled up at its start to a length, or cut to it at its end. Length and filling are written as literals.", "lpad('7', 3, '0')"),
    Portable("rpad(text, length, filling)", "string", "Filled up at its end to a length, or cut to it. Length and filling are written as literals.", "rpad('ab', 4, '.')"),
    Portable("translate(text, from, to)", "string", "Each character of `from` becomes the one at its place in `to`, or goes where `to` is shorter.", "translate('a.b,c', '.,', '__')"),
    Portable("chr(n)", "string", "The character of a Unicode number; an error for none.", "chr(65)"),
    Portable("codepoint(text)", "integer", "The Unicode number of its first character; NULL for empty text.", "codepoint('A')"),
    Portable("a like pattern", "boolean", "Whether the whole text fits a pattern: `%` is any text, `_` one character, others themselves; `escape` names a character that makes them plain.", "'abc' like 'a%'"),
    Portable("a ilike pattern", "boolean", "As `like`, in any case.", "'ABC' ilike 'a%'"),
    Portable("url_encode(text)", "string", "Percent-encoded as in an address; a space is `%20`.", "url_encode('a b')"),
)  # fmt: skip

PATTERNS = (
    Portable("regexp_like(text, pattern)", "boolean", "Whether the pattern is found anywhere in the text. Patterns are literals that both engines read: no look-around, no back references, no `\\b`; `$` is the very end; `\\d`, `\\w` and `\\s` are ASCII.", "regexp_like('A17', '^[A-Z]\\d+$')"),
    Portable("regexp_extract(text, pattern[, group])", "string", "The first match, or one group of it; NULL where nothing matches, empty text for a group that took no part.", "regexp_extract('id 42', '\\d+')"),
    Portable("regexp_replace(text, pattern[, replacement])", "string", "Every match replaced, or left out; `$1` is a group. The replacement is a literal.", "regexp_replace('a1b22', '\\d+', '#')"),
    Portable("regexp_count(text, pattern)", "integer", "How many matches there are, none inside another.", "regexp_count('a1b22', '\\d+')"),
)  # fmt: skip

NUMBERS = (
    Portable("a + b", "numbers as they are; dates and timestamps with intervals", "The sum; what 64 bits do not hold is an error.", "2 + 3"),
    Portable("a - b", "numbers as they are; dates and timestamps with intervals", "The difference; what 64 bits do not hold is an error.", "2 - 3"),
    Portable("a * b", "numbers as they are", "The product; of decimals it is exact to 38 digits. What does not fit is an error.", "1.5 * 1.5"),
    Portable("a / b", "float", "Real division, of integers too; by zero there is no result: NULL.", "7 / 2"),
    Portable("a % b", "numbers as they are", "The rest, with the sign of `a`; by zero NULL.", "-7 % 3"),
    Portable("-a", _FIRST, "The negative.", "-(2)"),
    Portable("mod(a, b)", "numbers as they are", "As `%`.", "mod(7, -3)"),
    Portable("int_div(a, b)", "integer", "Integer division, towards zero; by zero NULL.", "int_div(-7, 2)"),
    Portable("abs(x)", _FIRST, "Without its sign.", "abs(-2.5)"),
    Portable("sign(x)", "integer", "-1, 0 or 1.", "sign(-2.5)"),
    Portable("round(x[, digits])", "as its first argument, with so many digits", "Rounded, halves away from zero; negative digits round to tens and more. Digits are written as a number.", "round(-2.5)"),
    Portable("floor(x)", "as its first argument, whole", "The next whole number below.", "floor(-2.5)"),
    Portable("ceil(x)", "as its first argument, whole", "The next whole number above.", "ceil(-2.5)", also=("ceiling",)),
    Portable("truncate(x)", "as its first argument, whole", "Without its fraction.", "truncate(-2.5)"),
    Portable("sqrt(x)", "float", "The square root; of a negative number NaN.", "sqrt(2.25)"),
    Portable("power(x, y)", "float", "x to the power of y.", "power(2, 10)", "The last of its 16 digits is the engine's.", also=("pow",)),
    Portable("exp(x)", "float", "e to the power of x.", "exp(0)", "The last of its 16 digits is the engine's."),
    Portable("ln(x)", "float", "The natural logarithm; of 0 negative infinity, below it NaN.", "ln(1)", "The last of its 16 digits is the engine's."),
    Portable("log(base, x)", "float", "The logarithm to a base.", "log(2, 8)", "The last of its 16 digits is the engine's."),
    Portable("log2(x)", "float", "The logarithm to base 2.", "log2(8)", "The last of its 16 digits is the engine's."),
    Portable("log10(x)", "float", "The logarithm to base 10.", "log10(1000)", "The last of its 16 digits is the engine's."),
    Portable("pi()", "float", "3.141592653589793.", "pi()"),
    Portable("degrees(x)", "float", "An angle in radians, in degrees.", "degrees(pi())"),
    Portable("radians(x)", "float", "An angle in degrees, in radians.", "radians(180)"),
    Portable("is_nan(x)", "boolean", "Whether a float is no number.", "is_nan(sqrt(-1))"),
    Portable("greatest(a, b, ...)", _ALL, "The greatest; NULL where one is NULL.", "greatest(3, 7, 5)"),
    Portable("least(a, b, ...)", _ALL, "The least; NULL where one is NULL.", "least(3, 7, 5)"),
)  # fmt: skip

TIMES = (
    Portable("today()", "date", "The run's day in the input's time zone.", "today()", also=("current_date",)),
    Portable("now()", "timestamptz", "The run's moment.", "now()", also=("current_timestamp",)),
    Portable("local_date(moment)", "date", "The day of a moment in the input's time zone; a timestamp without zone is UTC.", "local_date(timestamp '2026-03-08 07:59:59 UTC')"),
    Portable("date(x)", "date", "The day of a text `2026-11-23` or of a timestamp; of a moment its day in UTC.", "date('2026-11-23')"),
    Portable("year(x)", "integer", "The year.", "year(date '2026-11-23')"),
    Portable("quarter(x)", "integer", "The quarter, 1 to 4.", "quarter(date '2026-11-23')"),
    Portable("month(x)", "integer", "The month, 1 to 12.", "month(date '2026-11-23')"),
    Portable("week(x)", "integer", "The ISO week, 1 to 53: weeks start on Monday, the first has the year's first Thursday.", "week(date '2027-01-03')", also=("week_of_year",)),
    Portable("year_of_week(x)", "integer", "The year that the ISO week belongs to.", "year_of_week(date '2027-01-03')", also=("yow",)),
    Portable("day(x)", "integer", "The day of the month.", "day(date '2026-11-23')", also=("day_of_month",)),
    Portable("day_of_week(x)", "integer", "1 for Monday to 7 for Sunday.", "day_of_week(date '2027-01-03')", also=("dow",)),
    Portable("day_of_year(x)", "integer", "1 to 366.", "day_of_year(date '2024-12-31')", also=("doy",)),
    Portable("hour(x)", "integer", "The hour, 0 to 23; of a moment in UTC.", "hour(timestamp '2026-11-23 14:05:06')"),
    Portable("minute(x)", "integer", "The minute.", "minute(timestamp '2026-11-23 14:05:06')"),
    Portable("second(x)", "integer", "The whole second.", "second(timestamp '2026-11-23 14:05:59.9')"),
    Portable("millisecond(x)", "integer", "The thousandths of its second, 0 to 999.", "millisecond(timestamp '2026-11-23 14:05:59.9')"),
    Portable("extract(part from x)", "integer", "One of `year quarter month week day day_of_month day_of_week dow day_of_year doy year_of_week yow hour minute second`, as the function of that name.", "extract(dow from date '2027-01-03')"),
    Portable("date_trunc(unit, x)", _FIRST, "Cut to the start of its `year quarter month week day hour minute second`; a date stays a date.", "date_trunc('week', date '2027-01-03')"),
    Portable("date_add(unit, n, x)", _FIRST, "Moved by n units, `year quarter month week day hour minute second`; a month that is too short gives its last day.", "date_add('month', 1, date '2026-01-31')"),
    Portable("date_diff(unit, from, to)", "integer", "How many whole units lie between, negative where `to` is before `from`; the last day of a shorter month completes a month.", "date_diff('month', date '2026-01-31', date '2026-02-28')"),
    Portable("interval 'n' unit", "an interval", "What is added to or taken from a date or timestamp: `year month week day hour minute second`.", "date '2024-02-29' + interval '1' year"),
    Portable("last_day_of_month(x)", "date", "The last day of its month.", "last_day_of_month(date '2024-02-10')"),
    Portable("date_format(x, format)", "string", "As text: `%Y %y %m %c %d %e %H %k %h %I %l %i %s %S %p %M %b %W %a %j %T %%` in a literal; names are English.", "date_format(date '2026-11-03', '%a %e %b %Y')"),
    Portable("date_parse(text, format)", "timestamp", "The timestamp a text is, in a literal format with `%Y`, a month and a day, of those of `date_format`; an error for other text.", "date_parse('23.11.2026', '%d.%m.%Y')", "DuckDB skips white space at the start, which is an error on Trino."),
    Portable("from_unixtime(seconds)", "timestamptz", "The moment so many seconds after 1970 in UTC, to the millisecond.", "from_unixtime(1.5)"),
    Portable("to_unixtime(x)", "float", "The seconds since 1970 in UTC; a timestamp without zone is UTC.", "to_unixtime(timestamp '1970-01-02 00:00:00.25')", "Centuries ago, the last of its 17 digits is the engine's."),
    Portable("from_iso8601_timestamp(text)", "timestamptz", "The moment of a text such as `2026-11-23T14:05:06+01:00`; without a zone it is UTC, other text is an error.", "from_iso8601_timestamp('2026-11-23T14:05:06+01:00')", "Trino also reads ISO's week and ordinal dates."),
    Portable("moment at time zone zone", "timestamp", "What the clocks of a zone show at a moment; a timestamp without zone is UTC. The zone is a literal.", "timestamp '2026-03-08 10:00:00 UTC' at time zone 'America/New_York'"),
    Portable("with_timezone(timestamp, zone)", "timestamptz", "The moment at which the clocks of a zone show a timestamp: the first of two, and what a skipped hour would have been. The zone is a literal.", "with_timezone(timestamp '2026-07-01 12:00:00', 'Europe/Berlin')", "Of two moments half an hour apart (Lord Howe Island), DuckDB takes the second."),
)  # fmt: skip

CONDITIONS = (
    Portable("a = b", "boolean", "Whether they are equal; NULL where one is NULL. Also `<>`, `<`, `<=`, `>`, `>=`; texts by code points.", "'a' < 'b'"),
    Portable("a and b", "boolean", "Both; NULL where nobody can tell.", "true and null"),
    Portable("a or b", "boolean", "One of them; NULL where nobody can tell.", "true or null"),
    Portable("not a", "boolean", "The opposite; of NULL it is NULL.", "not true"),
    Portable("a in (b, ...)", "boolean", "Whether it is one of them; NULL where it is not and one is NULL.", "2 in (1, 2, 3)"),
    Portable("a between b and c", "boolean", "Whether it is neither less than `b` nor greater than `c`.", "2 between 1 and 3"),
    Portable("a is null", "boolean", "Whether there is no value; also `is not null`, `is true`, `is false`. Never NULL.", "null is null"),
    Portable("a is distinct from b", "boolean", "Whether they differ, NULL being a value; also `is not distinct from`.", "1 is distinct from null"),
    Portable("case when a then b else c end", "the type that holds all branches", "The first branch whose condition is true, else NULL; also `case x when 1 then ...`.", "case when 1 > 2 then 'more' else 'less' end"),
    Portable("if(condition, a[, b])", "the type that holds all branches", "a where the condition is true, else b or NULL.", "if(1 > 2, 'more', 'less')"),
    Portable("coalesce(a, b, ...)", _ALL, "The first that is not NULL.", "coalesce(null, 2, 3)"),
    Portable("nullif(a, b)", _FIRST, "NULL where they are equal, else a.", "nullif(1, 1)"),
    Portable("cast(x as type)", "that type", "As another type: text and numbers, dates, timestamps, booleans; halves away from zero; an error where it does not fit. Floats and timestamps as text are written differently and warned of.", "cast('42' as bigint)", "Trino reads `1.5d` as a number, digits of other scripts, and years of five digits."),
    Portable("try_cast(x as type)", "that type", "As `cast`, NULL where it does not fit.", "try_cast('4.7' as bigint)", "See `cast`."),
)  # fmt: skip

DOCUMENTS = (
    Portable("json_extract_scalar(json, path)", "string", "The text, number or boolean at a literal path such as `$.a.b[0]` as text; NULL for NULL, objects, arrays, and text that is no JSON.", "json_extract_scalar('{\"a\": {\"b\": [7]}}', '$.a.b[0]')", "Of numbers such as `1.50` and `1e3` DuckDB gives `1.5` and `1000.0`; Trino does not mind text behind a document."),
    Portable("json_array_length(json)", "integer", "How many items an array has; NULL for all else.", "json_array_length('[1, 2]')", "See `json_extract_scalar`."),
)  # fmt: skip

AGGREGATES = (
    Portable("count(path)", "integer", "The values that are not NULL, or all related rows; 0 of none.", "count(few.number)"),
    Portable("count_distinct(path)", "integer", "The different values that are not NULL.", "count_distinct(few.word)"),
    Portable("sum(path)", _FIRST, "Their sum, exact for integers and decimals; NULL of none.", "sum(few.number)"),
    Portable("avg(path)", "float", "Their mean.", "avg(few.number)"),
    Portable("min(path)", _FIRST, "The least.", "min(few.word)"),
    Portable("max(path)", _FIRST, "The greatest.", "max(few.word)"),
    Portable("median(path)", "float", "The middle one, or the mean of the two.", "median(few.number)"),
    Portable("list(path)", "string", "The values that are not NULL as one text.", "list(few.word)"),
    Portable("first(path)", _FIRST, "The value of the first row of the `sort`.", "first(few.word)"),
    Portable("last(path)", _FIRST, "The value of the last row of the `sort`.", "last(few.word)"),
    Portable("bool_and(path)", "boolean", "Whether all that are not NULL are true.", "bool_and(few.flag)"),
    Portable("bool_or(path)", "boolean", "Whether one is true.", "bool_or(few.flag)"),
    Portable("any(condition)", "boolean", "Whether a related row meets a condition.", "any(few.number > 2)"),
    Portable("none(condition)", "boolean", "Whether no related row does.", "none(few.number > 2)"),
    Portable("all(condition)", "boolean", "Whether every related row does; true of none.", "all(few.number > 2)"),
)  # fmt: skip

GROUPS = {
    "Text": TEXT,
    "Regular expressions": PATTERNS,
    "Numbers": NUMBERS,
    "Dates and times": TIMES,
    "Conditions": CONDITIONS,
    "JSON": DOCUMENTS,
    "Aggregates": AGGREGATES,
}
LIST = tuple(listed for group in GROUPS.values() for listed in group)
BY_NAME = {
    name: listed
    for listed in LIST
    if "(" in listed.signature and listed.name.isidentifier()
    for name in (listed.name, *listed.also)
}
NAMES = frozenset(BY_NAME)


@functools.cache
def takes(name: str) -> tuple[int, int]:
    """The least and greatest number of arguments of a listed function."""
    inside = BY_NAME[name].signature.partition("(")[2].rpartition(")")[0]
    if " in " in inside or " from " in inside:
        return 2, 2
    needed, _, optional = inside.partition("[")
    count = len(re.findall(r"\w+", needed))
    return count, 99 if "..." in inside else count + len(re.findall(r"\w+", optional))
