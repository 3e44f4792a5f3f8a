/// Moves between registers, and the special registers.
enum MoveHandlers {
    static let copy32: Handler = { w, i in map1(w, i) { (a: UInt32) in a } }
    static let copy64: Handler = { w, i in map1(w, i) { (a: UInt64) in a } }
    static let truncate: Handler = { w, i in map1(w, i) { (a: UInt64) in UInt32(truncatingIfNeeded: a) } }
    static let zeroExtend: Handler = { w, i in map1(w, i) { (a: UInt32) in UInt64(a) } }
    static let signExtend: Handler = { w, i in map1(w, i) { (a: Int32) in Int64(a) } }

    static let copyPredicate: Handler = { w, i in
        setPredicate(w, i.instruction.pointee.d, predicate(w, i.instruction.pointee.a))
        return i.next
    }

    static let notPredicate: Handler = { w, i in
        setPredicate(w, i.instruction.pointee.d, ~predicate(w, i.instruction.pointee.a))
        return i.next
    }

    static let andPredicate: Handler = { w, i in
        let bits = predicate(w, i.instruction.pointee.a) & predicate(w, i.instruction.pointee.b)
        setPredicate(w, i.instruction.pointee.d, bits)
        return i.next
    }

    static let orPredicate: Handler = { w, i in
        let bits = predicate(w, i.instruction.pointee.a) | predicate(w, i.instruction.pointee.b)
        setPredicate(w, i.instruction.pointee.d, bits)
        return i.next
    }

    static let xorPredicate: Handler = { w, i in
        let bits = predicate(w, i.instruction.pointee.a) ^ predicate(w, i.instruction.pointee.b)
        setPredicate(w, i.instruction.pointee.d, bits)
        return i.next
    }

    /// The frame's own place in local memory plus `immediate`.
    static let localAddress32: Handler = { w, i in
        let start = w.warp.pointee.frame.pointee.localOffset
        let address = UInt32(truncatingIfNeeded: start &+ Int(truncatingIfNeeded: i.instruction.pointee.immediate))
        return fill32(w, i, address)
    }

    static let localAddress64: Handler = { w, i in
        let start = w.warp.pointee.frame.pointee.localOffset
        let address = UInt64(truncatingIfNeeded: start &+ Int(truncatingIfNeeded: i.instruction.pointee.immediate))
        return fill64(w, i, address)
    }

    /// d = a + immediate, for windows of generic addresses.
    static let addWindow: Handler = { w, i in
        let window = i.instruction.pointee.immediate
        return map1(w, i) { (a: UInt64) in a &+ window }
    }

    /// d = bit mask of lanes whose generic address is in a window given by `immediate`.
    static let isInWindow: Handler = { w, i in
        let window = i.instruction.pointee.immediate
        let bits = test2(w, i) { (a: UInt64, b: UInt64) in a &>> 32 == window }
        setPredicate(w, i.instruction.pointee.d, bits)
        return i.next
    }

    /// d = bit mask of lanes whose generic address is in none of the windows.
    static let isGlobal: Handler = { w, i in
        let bits = test2(w, i) { (a: UInt64, b: UInt64) in a &>> 32 == 0 || a &>> 32 > Warp.Window.parameter }
        setPredicate(w, i.instruction.pointee.d, bits)
        return i.next
    }

}

/// The special registers.
enum SpecialHandlers {
    /// `%tid`: `immediate` is the component.
    static let thread: Handler = { w, i in
        let source = w.warp.pointee.threads + 32 &* Int(truncatingIfNeeded: i.instruction.pointee.immediate)
        produce(w, i.instruction.pointee.d) { (t: UnsafeMutablePointer<UInt32>) in
            for lane in 0..<32 { t[lane] = source[lane] }
        }
        return i.next
    }

    /// `%laneid` and `%lanemask_*`.
    static let lane: Handler = { w, i in
        let form = i.instruction.pointee.flags
        produce(w, i.instruction.pointee.d) { (t: UnsafeMutablePointer<UInt32>) in
            for lane in 0..<UInt32(32) {
                let bit: UInt32 = 1 &<< lane
                switch LaneValue(rawValue: form) {
                case .index, nil: t[Int(lane)] = lane
                case .equal: t[Int(lane)] = bit
                case .less: t[Int(lane)] = bit &- 1
                case .lessOrEqual: t[Int(lane)] = bit | (bit &- 1)
                case .greater: t[Int(lane)] = ~(bit | (bit &- 1))
                case .greaterOrEqual: t[Int(lane)] = ~(bit &- 1)
                }
            }
        }
        return i.next
    }

    enum LaneValue: UInt32 {
        case index, equal, less, lessOrEqual, greater, greaterOrEqual
    }

    /// Registers that are the same in all lanes, read when the instruction runs.
    enum Uniform: UInt32 {
        case blockX, blockY, blockZ, warpIndex, warpCount, processor, grid, clock, clockHigh, clock64
        case globalTimer, globalTimerLow, globalTimerHigh, dynamicShared, totalShared, workspaceLow, workspaceHigh
        case blockSizeX, blockSizeY, blockSizeZ, gridX, gridY, gridZ, clusterRank

        /// Whether it stays the same while a block runs.
        var isFixed: Bool {
            switch self {
            case .warpIndex, .processor, .grid, .clock, .clockHigh, .clock64, .globalTimer, .globalTimerLow,
                .globalTimerHigh:
                false
            default: true
            }
        }
    }

    static let uniformCount = 32

    /// One of the block's values that don't change.
    static let fixed32: Handler = { w, i in fill32(w, i, w.warp.pointee.uniforms[Int(i.instruction.pointee.flags)]) }

    static let fixed64: Handler = { w, i in
        fill64(w, i, UInt64(w.warp.pointee.uniforms[Int(i.instruction.pointee.flags)]))
    }

    static let uniform32: Handler = { w, i in
        fill32(w, i, UInt32(truncatingIfNeeded: value(w, i.instruction.pointee.flags)))
    }

    static let uniform64: Handler = { w, i in fill64(w, i, value(w, i.instruction.pointee.flags)) }
}

@inline(__always)
func fill32(_ w: WarpPointer, _ i: InstructionPointer, _ value: UInt32) -> InstructionPointer? {
    produce(w, i.instruction.pointee.d) { (t: UnsafeMutablePointer<UInt32>) in
        for lane in 0..<32 { t[lane] = value }
    }
    return i.next
}

@inline(__always)
func fill64(_ w: WarpPointer, _ i: InstructionPointer, _ value: UInt64) -> InstructionPointer? {
    produce(w, i.instruction.pointee.d) { (t: UnsafeMutablePointer<UInt64>) in
        for lane in 0..<32 { t[lane] = value }
    }
    return i.next
}

@inline(never)
private func value(_ w: WarpPointer, _ code: UInt32) -> UInt64 {
    switch SpecialHandlers.Uniform(rawValue: code) {
    case .warpIndex: return UInt64(w.warp.pointee.index)
    case .processor: return w.warp.pointee.block.takeUnretainedValue().identity.linear % 64
    case .clock, .clock64: return monotonicNanoseconds()
    case .clockHigh, .globalTimerHigh: return monotonicNanoseconds() &>> 32
    case .globalTimer, .globalTimerLow: return wallNanoseconds()
    default: return 0
    }
}
