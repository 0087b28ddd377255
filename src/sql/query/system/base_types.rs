//! PostgreSQL's base types and special pseudo-types, as `pg_type` describes them.
//!
//! Owns what postgres-types does not know of them: size, category, receive function. The
//! figures are those of PostgreSQL 15's `pg_type`; later versions only add types. Never holds
//! arrays and ranges: they follow from their elements.

/// One type.
#[derive(Debug)]
pub(super) struct BaseType {
    pub oid: u32,
    /// `typlen`: bytes; -1 and -2 for variable sizes.
    pub length: i16,
    /// `typcategory`.
    pub category: u8,
    /// `typispreferred`.
    pub preferred: bool,
    /// `pg_proc.oid` of `typreceive` and `typsend`; 0: none.
    pub functions: (u32, u32),
    /// The name of `typreceive`; `-` for none, as regproc prints it. That of `typsend` differs
    /// only in its verb.
    pub receive_name: &'static str,
}

const fn base(
    oid: u32,
    length: i16,
    category: u8,
    preferred: bool,
    functions: (u32, u32),
    receive_name: &'static str,
) -> BaseType {
    BaseType {
        oid,
        length,
        category,
        preferred,
        functions,
        receive_name,
    }
}

/// Ordered by OID.
pub(super) static BASE_TYPES: &[BaseType] = &[
    base(16, 1, b'B', true, (2436, 2437), "boolrecv"),
    base(17, -1, b'U', false, (2412, 2413), "bytearecv"),
    base(18, 1, b'Z', false, (2434, 2435), "charrecv"),
    base(19, 64, b'S', false, (2422, 2423), "namerecv"),
    base(20, 8, b'N', false, (2408, 2409), "int8recv"),
    base(21, 2, b'N', false, (2404, 2405), "int2recv"),
    base(22, -1, b'A', false, (2410, 2411), "int2vectorrecv"),
    base(23, 4, b'N', false, (2406, 2407), "int4recv"),
    base(24, 4, b'N', false, (2444, 2445), "regprocrecv"),
    base(25, -1, b'S', true, (2414, 2415), "textrecv"),
    base(26, 4, b'N', true, (2418, 2419), "oidrecv"),
    base(27, 6, b'U', false, (2438, 2439), "tidrecv"),
    base(28, 4, b'U', false, (2440, 2441), "xidrecv"),
    base(29, 4, b'U', false, (2442, 2443), "cidrecv"),
    base(30, -1, b'A', false, (2420, 2421), "oidvectorrecv"),
    base(32, 8, b'P', false, (88, 90), "pg_ddl_command_recv"),
    base(114, -1, b'U', false, (323, 324), "json_recv"),
    base(142, -1, b'U', false, (2898, 2899), "xml_recv"),
    base(194, -1, b'Z', false, (197, 198), "pg_node_tree_recv"),
    base(600, 16, b'G', false, (2428, 2429), "point_recv"),
    base(601, 32, b'G', false, (2480, 2481), "lseg_recv"),
    base(602, -1, b'G', false, (2482, 2483), "path_recv"),
    base(603, 32, b'G', false, (2484, 2485), "box_recv"),
    base(604, -1, b'G', false, (2486, 2487), "poly_recv"),
    base(628, 24, b'G', false, (2488, 2489), "line_recv"),
    base(650, -1, b'I', false, (2498, 2499), "cidr_recv"),
    base(700, 4, b'N', false, (2424, 2425), "float4recv"),
    base(701, 8, b'N', true, (2426, 2427), "float8recv"),
    base(705, -2, b'X', false, (2416, 2417), "unknownrecv"),
    base(718, 24, b'G', false, (2490, 2491), "circle_recv"),
    base(774, 8, b'U', false, (3446, 3447), "macaddr8_recv"),
    base(790, 8, b'N', false, (2492, 2493), "cash_recv"),
    base(829, 6, b'U', false, (2494, 2495), "macaddr_recv"),
    base(869, -1, b'I', true, (2496, 2497), "inet_recv"),
    base(1033, 12, b'U', false, (0, 0), "-"),
    base(1042, -1, b'S', false, (2430, 2431), "bpcharrecv"),
    base(1043, -1, b'S', false, (2432, 2433), "varcharrecv"),
    base(1082, 4, b'D', false, (2468, 2469), "date_recv"),
    base(1083, 8, b'D', false, (2470, 2471), "time_recv"),
    base(1114, 8, b'D', false, (2474, 2475), "timestamp_recv"),
    base(1184, 8, b'D', true, (2476, 2477), "timestamptz_recv"),
    base(1186, 16, b'T', true, (2478, 2479), "interval_recv"),
    base(1266, 12, b'D', false, (2472, 2473), "timetz_recv"),
    base(1560, -1, b'V', false, (2456, 2457), "bit_recv"),
    base(1562, -1, b'V', true, (2458, 2459), "varbit_recv"),
    base(1700, -1, b'N', false, (2460, 2461), "numeric_recv"),
    base(1790, -1, b'U', false, (2414, 2415), "textrecv"),
    base(2202, 4, b'N', false, (2446, 2447), "regprocedurerecv"),
    base(2203, 4, b'N', false, (2448, 2449), "regoperrecv"),
    base(2204, 4, b'N', false, (2450, 2451), "regoperatorrecv"),
    base(2205, 4, b'N', false, (2452, 2453), "regclassrecv"),
    base(2206, 4, b'N', false, (2454, 2455), "regtyperecv"),
    base(2249, -1, b'P', false, (2402, 2403), "record_recv"),
    base(2275, -2, b'P', false, (2500, 2501), "cstring_recv"),
    base(2277, -1, b'P', false, (2502, 2503), "anyarray_recv"),
    base(2278, 4, b'P', false, (3120, 3121), "void_recv"),
    base(2950, 16, b'U', false, (2961, 2962), "uuid_recv"),
    base(2970, -1, b'U', false, (2941, 2942), "txid_snapshot_recv"),
    base(3220, 8, b'U', false, (3238, 3239), "pg_lsn_recv"),
    base(3361, -1, b'Z', false, (3357, 3358), "pg_ndistinct_recv"),
    base(3402, -1, b'Z', false, (3406, 3407), "pg_dependencies_recv"),
    base(3614, -1, b'U', false, (3639, 3638), "tsvectorrecv"),
    base(3615, -1, b'U', false, (3641, 3640), "tsqueryrecv"),
    base(3642, -1, b'U', false, (0, 0), "-"),
    base(3734, 4, b'N', false, (3738, 3739), "regconfigrecv"),
    base(3769, 4, b'N', false, (3773, 3774), "regdictionaryrecv"),
    base(3802, -1, b'U', false, (3805, 3803), "jsonb_recv"),
    base(4072, -1, b'U', false, (4002, 4004), "jsonpath_recv"),
    base(4089, 4, b'N', false, (4087, 4088), "regnamespacerecv"),
    base(4096, 4, b'N', false, (4094, 4095), "regrolerecv"),
    base(4191, 4, b'N', false, (4196, 4197), "regcollationrecv"),
    base(
        4600,
        -1,
        b'Z',
        false,
        (4598, 4599),
        "brin_bloom_summary_recv",
    ),
    base(
        4601,
        -1,
        b'Z',
        false,
        (4640, 4641),
        "brin_minmax_multi_summary_recv",
    ),
    base(5017, -1, b'Z', false, (5020, 5021), "pg_mcv_list_recv"),
    base(5038, -1, b'U', false, (5057, 5058), "pg_snapshot_recv"),
    base(5069, 8, b'U', false, (5082, 5083), "xid8recv"),
    base(
        5078,
        -1,
        b'P',
        false,
        (5090, 5091),
        "anycompatiblearray_recv",
    ),
];
