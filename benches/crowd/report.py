"""The figures as tables for people."""

from __future__ import annotations

MIB = 1 << 20

TIMES = [
    ("first_one_by_one", "create, the first one by one"),
    ("last_one_by_one", "create, the last one by one"),
    ("side_by_side", "create, side by side"),
    ("delete", "delete, one by one"),
    ("list", "list, a page of 100"),
    ("sign_in_with_few", "sign-in with 10 users"),
    ("sign_in_with_all", "sign-in with all users"),
    ("statement_alone", "somebody's statement, alone"),
    ("statement_meanwhile", "somebody's statement, while users are made"),
]

STATES = [
    ("before", "none"),
    ("idle", "signed in, idle"),
    ("after_a_small_insert", "idle after a small INSERT"),
    ("after_a_large_insert", "idle after an INSERT of 256 KiB"),
    ("closed", "closed again"),
]


def _aligned(lines: list[list[str]]) -> list[str]:
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return [
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    ]


def _store(figures: dict) -> list[str]:
    lines = [[figures["store"], "count", "p50 ms", "p99 ms", "max ms"]]
    for key, title in TIMES:
        times = figures[key]
        row = [f"{times[name]:.2f}" for name in ("p50_ms", "p99_ms", "max_ms")]
        lines.append([title, f"{times['count']:,}", *row])
    many, listed = figures["side_by_side"], figures["list"]
    return [
        *_aligned(lines),
        f"{many['users_per_s']:.0f} users/s with {many['in_flight']} creations in flight,"
        f" {many['gateway_cpu_ms_per_user']:.2f} ms of the gateway's processor time each;"
        f" {listed['users']:,} users in {listed['count']} pages in {listed['took_s']:.2f} s;"
        f" {figures['resident_bytes_per_user'] / 1024:.1f} KiB of memory per user.",
        "",
    ]


def _connections(figures: dict) -> list[str]:
    lines = [["connections", "kind", "MiB", "KiB each", "descriptors", "threads"]]
    for kind in ("plain", "tls"):
        for key, title in STATES:
            held = figures[kind][key]
            each = held.get("kib_per_connection")
            lines.append(
                [
                    title,
                    kind,
                    f"{held['resident_bytes'] / MIB:.1f}",
                    "" if each is None else f"{each:.1f}",
                    f"{held['descriptors']:,}",
                    f"{held['threads']}",
                ]
            )
    return [
        *_aligned(lines),
        f"{figures['count']:,} connections, each of a user of its own; ready after"
        f" {figures['plain']['ready_s']:.2f} s with all users in the store.",
    ]


def table(document: dict) -> str:
    lines = [line for figures in document["stores"] for line in _store(figures)]
    lines += _connections(document["connections"])
    lines.append(f"{document['users']:,} users on {document['cores']} cores, shared by everything.")
    return "\n".join(lines)
