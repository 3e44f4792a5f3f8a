internal import PTX

/// Addresses in a cluster, which is one block here.
enum ClusterForms {
    static func find(_ operation: Operation, _ type: PTXType) -> Form? {
        let isWide = type.byteCount == 8
        switch operation.opcode {
        case "mapa": return isWide ? address64 : address32
        case "getctarank":
            // The rank of the only block.
            return Form(.b32, [isWide ? .b64 : .b32]) { w, i in map1(w, i) { (_: UInt32) in UInt32(0) } }
        default: return nil
        }
    }

    /// The address as it is in block 0; of another block, one that nothing is at.
    private static var address32: Form {
        .binary32 { w, i in map2(w, i) { (a: UInt32, rank: UInt32) in rank == 0 ? a : ~0 } }
    }

    private static var address64: Form {
        Form(.b64, [.b64, .b64]) { w, i in map2(w, i) { (a: UInt64, rank: UInt64) in rank == 0 ? a : ~0 } }
    }
}
