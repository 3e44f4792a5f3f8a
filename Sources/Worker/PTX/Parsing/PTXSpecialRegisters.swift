/// The names of the special registers of PTX, without `%`.
enum PTXSpecialRegisters {
    private static let names: Set<String> = {
        var names: Set<String> = [
            "tid", "ntid", "laneid", "warpid", "nwarpid", "ctaid", "nctaid", "smid", "nsmid", "gridid",
            "is_explicit_cluster", "clusterid", "nclusterid", "cluster_ctaid", "cluster_nctaid",
            "cluster_ctarank", "cluster_nctarank",
            "lanemask_eq", "lanemask_le", "lanemask_lt", "lanemask_ge", "lanemask_gt",
            "clock", "clock_hi", "clock64", "globaltimer", "globaltimer_lo", "globaltimer_hi",
            "reserved_smem_offset_begin", "reserved_smem_offset_end", "reserved_smem_offset_cap",
            "reserved_smem_offset_0", "reserved_smem_offset_1",
            "total_smem_size", "aggr_smem_size", "dynamic_smem_size", "current_graph_exec",
        ]
        for index in 0..<8 { names.formUnion(["pm\(index)", "pm\(index)_64"]) }
        for index in 0..<32 { names.insert("envreg\(index)") }
        return names
    }()

    static func contains(_ name: String) -> Bool { names.contains(name) }
}
