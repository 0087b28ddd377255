"""Random SELECTs over one table, whose answers any two PostgreSQLs must agree on.

Owns the grammar: comparisons, lists, ranges, patterns, NULLs, AND, OR, NOT, order and limits, with
values that the table has and values next to them, as literals in several spellings and as
parameters. Promises the same questions for the same seed. Never asks them.
"""

from __future__ import annotations

import dataclasses
import datetime
import random
import re

TEXTS = [
    "",
    " ",
    "a",
    "A",
    "%",
    "_",
    "\\",
    "a%",
    "a_",
    "é",
    "e\u0301",
    "ß",
    "Ω",
    "🏭",
    "it's",
    "NULL",
    "x" * 40,
]
NUMBERS = ["0", "1", "-1", "7", "9007199254740991", "9007199254740993", "9223372036854775807"]
FLOATS = ["0", "-0", "0.1", "1e300", "-1e300", "1e-300", "NaN", "Infinity", "-Infinity", "2147483648"]
TIMES = [
    "1970-01-01 00:00:00+00",
    "1969-12-31 23:59:59.999+00",
    "2026-11-01 12:00:00.0005+00",
    "2099-12-31 23:59:59.999+00",
    "infinity",
    "-infinity",
    "epoch",
    "2026-10-25 02:30:00",
    "2026-03-29 02:30:00",
]
ORDERED = ("<", "<=", ">", ">=")


@dataclasses.dataclass
class Question:
    statement: str
    parameters: list
    is_ordered: bool


class RandomQuestions:
    """`columns` have names and types; `values` are those that the table has, by column, as texts."""

    def __init__(self, table: str, columns, values: dict[str, list[str]], seed: int):
        self._random = random.Random(seed)
        self._table = table
        self._columns = {column.name: column.type for column in columns}
        self._values = values
        self._parameters: list[str | None] = []
        comparable = ("character varying", "text", "bigint", "boolean", "double", "real", "timestamp")
        self._usable = [name for name, kind in self._columns.items() if kind.startswith(comparable)]
        self._usable = [name for name in self._usable if not self._columns[name].endswith("[]")]

    def next(self) -> Question:
        self._parameters = []
        choose = self._random.random()
        where = f" WHERE {self._condition(self._random.choice([1, 1, 2, 2, 3]))}"
        source = f"FROM {self._table}"
        names = self._random.sample(self._usable, k=min(2, len(self._usable)))
        first = self._quoted(names[0])
        if choose < 0.15:
            statement, is_ordered = f"SELECT count(*), count({first}) {source}{where}", True
        elif choose < 0.25:
            statement, is_ordered = f"SELECT {first}, count(*) {source}{where} GROUP BY {first}", False
        elif choose < 0.35:
            ends = f"SELECT 1 {source}{where} LIMIT {self._random.choice([0, 1, 3, 1000])}"
            statement, is_ordered = f"SELECT count(*) FROM ({ends}) AS some", True
        elif choose < 0.6:
            # The whole row breaks ties.
            keys = [self._key(name) for name in names]
            rest = ", ".join(f"{self._quoted(name)}::text" for name in self._columns)
            limit = self._random.choice(["", " LIMIT 1", " LIMIT 5", " LIMIT 5 OFFSET 3", " OFFSET 2"])
            order = f" ORDER BY {', '.join(keys)}, {rest}{limit}"
            statement, is_ordered = f"SELECT * {source}{where}{order}", True
        else:
            statement, is_ordered = f"SELECT * {source}{where}", False
        return Question(*self._numbered(statement), is_ordered)

    def _numbered(self, statement: str) -> tuple[str, list]:
        """With the parameters that the statement came to use, from $1 on."""
        used: list[str | None] = []

        def number(place: re.Match) -> str:
            used.append(self._parameters[int(place[1])])
            return f"${len(used)}"

        return re.sub("⟦(\\d+)⟧", number, statement), used

    def _quoted(self, name: str) -> str:
        return f'"{name}"'

    def _key(self, name: str) -> str:
        collation = ' COLLATE "C"' if self._is_text(name) else ""
        direction = self._random.choice(["", " DESC", " NULLS FIRST", " DESC NULLS LAST"])
        return f"{self._quoted(name)}{collation}{direction}"

    def _is_text(self, name: str) -> bool:
        return self._columns[name].startswith(("character", "text"))

    def _condition(self, depth: int) -> str:
        if depth <= 1:
            return self._comparison()
        parts = [self._condition(depth - 1) for _ in range(self._random.choice([1, 2, 2, 3]))]
        joined = f" {self._random.choice(['AND', 'AND', 'OR'])} ".join(parts)
        return self._random.choice([f"({joined})", f"({joined})", f"NOT ({joined})", f"({joined}) IS TRUE"])

    def _comparison(self) -> str:
        name = self._random.choice(self._usable)
        column, kind = (
            self._random.choice([self._quoted(name), f"{self._table}.{self._quoted(name)}"]),
            self._columns[name],
        )
        choose = self._random.random()
        if choose < 0.08:
            return f"{column} IS {self._random.choice(['', 'NOT '])}NULL"
        if kind == "boolean":
            return self._random.choice(
                [
                    column,
                    f"NOT {column}",
                    f"{column} IS NOT TRUE",
                    f"{column} = {self._value(name)}",
                    f"{column} IS FALSE",
                ]
            )
        if self._is_text(name) and choose < 0.45:
            return self._pattern(name, column)
        if choose < 0.65:
            operator = self._random.choice(["=", "=", "=", "<>"])
            sides = [column, self._value(name)]
            if self._random.random() < 0.2:
                sides.reverse()
            return f"{sides[0]} {operator} {sides[1]}"
        if choose < 0.8:
            several = [self._value(name) for _ in range(self._random.choice([1, 2, 3]))]
            if self._random.random() < 0.3:
                several.append("NULL")
            listed = ", ".join(several)
            array = f"{column} = ANY (ARRAY[{listed}]::{kind}[])"
            return self._random.choice([f"{column} IN ({listed})", f"{column} NOT IN ({listed})", array])
        if self._is_text(name):
            # In an order that every PostgreSQL has.
            column += ' COLLATE "C"'
        if choose < 0.9:
            return f"{column} BETWEEN {self._value(name)} AND {self._value(name)}"
        return f"{column} {self._random.choice(ORDERED)} {self._value(name)}"

    def _pattern(self, name: str, column: str) -> str:
        text = self._text_of(name)
        begins = text[: self._random.randrange(len(text) + 1)]
        pattern = self._random.choice(
            [begins + "%", "%" + begins, begins + "_%", begins, begins + "\\%", "%", ""]
        )
        if pattern.endswith("\\") and not pattern.endswith("\\\\"):
            pattern += "%"
        literal = self._literal(pattern)
        return self._random.choice(
            [
                f"{column} LIKE {literal}",
                f"{column} LIKE {literal}",
                f"{column} NOT LIKE {literal}",
                f"{column} ILIKE {literal}",
                f"{column} LIKE {literal} ESCAPE '!'",
                f"starts_with({column}, {self._literal(begins)})",
                f"{column} ^@ {self._literal(begins)}",
                f"lower({column}) = {literal}",
            ]
        )

    def _text_of(self, name: str) -> str:
        known = self._values.get(name)
        if not known or self._random.random() < 0.2:
            return self._random.choice(TEXTS)
        text = self._random.choice(known)
        return self._random.choice([text, text, text, text.swapcase(), text + " ", text[:-1], text + "a"])

    def _value(self, name: str) -> str:
        kind = self._columns[name]
        if self._random.random() < 0.03:
            return "NULL"
        if self._is_text(name):
            text = self._text_of(name)
            cast = self._random.choice(["", "", "", "::text", "::varchar"])
            return self._literal(text, cast)
        if kind == "boolean":
            return self._random.choice(["true", "false", "'yes'", "'f'", "'1'::boolean"])
        if kind.startswith("timestamp"):
            return self._time(name)
        known = self._values.get(name)
        pool = FLOATS if kind.startswith(("double", "real")) else NUMBERS
        text = (
            self._random.choice(known) if known and self._random.random() < 0.8 else self._random.choice(pool)
        )
        spelled = self._random.choice([self._literal(text), self._literal(text), f"'{text}'::{kind}"])
        if text.lstrip("-").isdigit() and self._random.random() < 0.4:
            # A number is negative by an operator.
            spelled = self._random.choice([text, f"({text})", f"{text}.0", f"{text}.5"])
        return spelled

    def _time(self, name: str) -> str:
        known = self._values.get(name)
        if not known or self._random.random() < 0.3:
            return self._literal(
                self._random.choice(TIMES), self._random.choice(["", "::timestamptz", "::timestamp"])
            )
        moment = datetime.datetime.fromisoformat(self._random.choice(known))
        moment += datetime.timedelta(
            microseconds=self._random.choice([0, 0, 0, 1, -1, 500, 1000, -1000, 3_600_000_000])
        )
        zone = datetime.timezone(datetime.timedelta(minutes=self._random.choice([0, 0, 60, -570])))
        text = moment.astimezone(zone).isoformat(sep=self._random.choice([" ", "T"]))
        cast = self._random.choice(["", "", "::timestamptz", "::timestamp", "::date"])
        return self._literal(text, cast)

    def _literal(self, text: str, cast: str = "") -> str:
        """A literal or a parameter of that text."""
        spelling = self._random.random()
        if spelling < 0.25:
            self._parameters.append(text)
            return f"⟦{len(self._parameters) - 1}⟧{cast}"
        if spelling < 0.4:
            escaped = text.replace("\\", "\\\\").replace("'", "\\'")
            return f"E'{escaped}'{cast}"
        if spelling < 0.5 and "$" not in text:
            return f"$t${text}$t${cast}"
        doubled = text.replace("'", "''")
        return f"'{doubled}'{cast}"
