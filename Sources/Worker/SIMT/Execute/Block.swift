import Glibc

/// How a block's turn ended.
enum BlockOutcome {
    case more
    case done
    case fault
}

/// One thread block and all its state, in heap memory so that it may stop at any instruction. One host thread runs it
/// at a time; it is reused for block after block of a launch.
final class Block {
    struct Barrier {
        var arrived = 0
        /// Threads that must arrive; 0 stands for all that have not exited.
        var expected = 0
        var trueCount = 0
    }

    let launch: LaunchState
    let warps: UnsafeMutablePointer<Warp>
    let warpCount: Int
    let threadCount: Int
    var identity = BlockIdentity()
    /// The 16 barriers of PTX, and that of the grid.
    var barriers = [Barrier](repeating: Barrier(), count: 17)
    /// The grid's barrier generation that this block waits to see the end of.
    private var gridGeneration: UInt64?
    var exitedThreads = 0
    private var doneWarps = 0
    private let slab: UnsafeMutableRawPointer
    private let slabByteCount: Int
    private let shared: UnsafeMutableRawPointer
    private let sharedByteCount: Int
    private var frames: [ObjectIdentifier: [UnsafeMutablePointer<Frame>]] = [:]
    private var everyFrame: [UnsafeMutablePointer<Frame>] = []
    /// Each warp's frame of the kernel itself; it outlives all blocks.
    private var entryFrames: [UnsafeMutablePointer<Frame>] = []
    private let fragmentSlots: UnsafeMutablePointer<Fragment>
    private let threads: UnsafeMutablePointer<UInt32>
    private let uniforms: UnsafeMutablePointer<UInt32>
    /// Barriers at which somebody has arrived.
    private var activeBarriers = 0

    /// Nil when the host has no memory for it.
    init?(_ launch: LaunchState) {
        self.launch = launch
        threadCount = Int(launch.launch.block.count)
        warpCount = (threadCount + 31) / 32
        sharedByteCount = launch.sharedByteCount
        slabByteCount = max(64, warpCount * 32 * launch.localByteCount)
        let registerByteCount = warpCount * max(64, launch.entry.registerByteCount)
        guard launch.book(slabByteCount + launch.sharedByteCount + registerByteCount) else { return nil }
        guard let slab = Block.makeSlab(slabByteCount) else { return nil }
        self.slab = slab
        shared = .allocate(byteCount: max(64, sharedByteCount), alignment: 64)
        memset(shared, 0, max(64, sharedByteCount))
        warps = .allocate(capacity: warpCount)
        fragmentSlots = .allocate(capacity: warpCount * 33)
        threads = .allocate(capacity: warpCount * 96)
        uniforms = .allocate(capacity: SpecialHandlers.uniformCount)
        uniforms.initialize(repeating: 0, count: SpecialHandlers.uniformCount)
        fillThreads()
        fillUniforms()
        for index in 0..<warpCount {
            (warps + index).initialize(to: makeWarp(index))
        }
    }

    deinit {
        if slabByteCount > Block.heapSlabByteCountMax { munmap(slab, slabByteCount) } else { slab.deallocate() }
        shared.deallocate()
        warps.deallocate()
        fragmentSlots.deallocate()
        threads.deallocate()
        uniforms.deallocate()
        for frame in everyFrame {
            frame.pointee.registers.deallocate()
            frame.deallocate()
        }
    }

    /// The largest local memory of a block, in bytes, that comes from the heap. A mapping and its end cost a small
    /// launch as much as all the rest of it; a large one is mapped, since kernels touch little of it.
    private static let heapSlabByteCountMax = 64 << 10

    /// Zeroed memory; nil when the host has none.
    private static func makeSlab(_ byteCount: Int) -> UnsafeMutableRawPointer? {
        if byteCount <= heapSlabByteCountMax {
            let slab = UnsafeMutableRawPointer.allocate(byteCount: byteCount, alignment: 64)
            memset(slab, 0, byteCount)
            return slab
        }
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        let slab = mmap(nil, byteCount, PROT_READ | PROT_WRITE, flags, -1, 0)
        return slab == MAP_FAILED ? nil : slab
    }

    private func fillThreads() {
        let extent = launch.launch.block
        for linear in 0..<UInt32(warpCount * 32) {
            let base = Int(linear / 32) * 96 + Int(linear % 32)
            threads[base] = linear % extent.x
            threads[base + 32] = (linear / extent.x) % extent.y
            threads[base + 64] = linear / (extent.x &* extent.y)
        }
    }

    /// What stays the same from block to block.
    private func fillUniforms() {
        func set(_ code: SpecialHandlers.Uniform, _ value: UInt32) { uniforms[Int(code.rawValue)] = value }
        let (grid, block) = (launch.launch.grid, launch.launch.block)
        set(.blockSizeX, block.x)
        set(.blockSizeY, block.y)
        set(.blockSizeZ, block.z)
        set(.gridX, grid.x)
        set(.gridY, grid.y)
        set(.gridZ, grid.z)
        set(.warpCount, UInt32(warpCount))
        set(.dynamicShared, UInt32(truncatingIfNeeded: launch.launch.dynamicSharedBytes))
        set(.totalShared, UInt32(truncatingIfNeeded: sharedByteCount))
        set(.workspaceHigh, launch.launch.isCooperative ? UInt32(Warp.Window.workspace) : 0)
    }

    private func makeWarp(_ index: Int) -> Warp {
        let frame = takeFrame(launch.entry)
        entryFrames.append(frame)
        var warp = Warp(
            registers: frame.pointee.registers, arenaHost: launch.memory.host, granules: launch.memory.granules,
            shared: shared, local: slab + index * 32 * launch.localByteCount, parameters: launch.parameters,
            workspace: launch.workspace, frame: frame, fragments: fragmentSlots + index * 33,
            threads: threads + index * 96, uniforms: uniforms, block: .passUnretained(self))
        warp.arenaAddress = launch.memory.baseAddress
        warp.arenaByteCount = launch.memory.byteCount
        warp.sharedByteCount = UInt64(sharedByteCount)
        warp.localByteCount = UInt64(launch.localByteCount)
        warp.parameterByteCount = UInt64(launch.parameterByteCount)
        warp.workspaceByteCount = UInt64(LaunchState.workspaceByteCount)
        warp.index = index
        return warp
    }

    /// Prepares the block with the given linear index.
    func start(_ linear: UInt64) {
        let grid = launch.launch.grid
        let x = UInt64(grid.x)
        let y = UInt64(grid.y)
        identity.linear = linear
        identity.block = (
            UInt32(truncatingIfNeeded: linear % x), UInt32(truncatingIfNeeded: (linear / x) % y),
            UInt32(truncatingIfNeeded: linear / (x * y))
        )
        uniforms[Int(SpecialHandlers.Uniform.blockX.rawValue)] = identity.block.0
        uniforms[Int(SpecialHandlers.Uniform.blockY.rawValue)] = identity.block.1
        uniforms[Int(SpecialHandlers.Uniform.blockZ.rawValue)] = identity.block.2
        exitedThreads = 0
        doneWarps = 0
        if activeBarriers > 0 { for index in barriers.indices { barriers[index] = Barrier() } }
        activeBarriers = 0
        gridGeneration = nil
        for index in 0..<warpCount {
            let warp = warps + index
            let rest = threadCount - index * 32
            let mask: UInt32 = rest >= 32 ? ~0 : (1 << UInt32(rest)) - 1
            let frame = entryFrames[index]
            frame.pointee.lanes = mask
            warp.pointee.alive = mask
            warp.pointee.fragmentCount = 0
            warp.pointee.current = 0
            warp.pointee.backEdges = 0
            warp.pointee.instructionCount = 0
            warp.pointee.exit = .none
            warp.pointee.fault = .none
            addFragment(warp, Fragment(pc: launch.entry.entry, frame: frame, mask: mask))
            warp.pointee.frame = frame
        }
    }

    /// Runs every warp in turn, `rounds` times at most.
    func run(rounds: Int, budget: Int) -> BlockOutcome {
        for round in 0..<rounds {
            if round & 15 == 15 ? launch.mustStop : launch.hasFailed { return .fault }
            if let generation = gridGeneration {
                guard launch.gridBarrier.isOver(generation) else { return .more }
                gridGeneration = nil
                release(Self.gridBarrier, Barrier())
            }
            var progressed = false
            for index in 0..<warpCount {
                let warp = warps + index
                if warp.pointee.alive == 0 { continue }
                switch runWarp(WarpPointer(warp), budget: budget) {
                case .budget: progressed = true
                case .blocked: progressed = progressed || warp.pointee.instructionCount > 0
                case .done:
                    progressed = true
                    doneWarps += 1
                case .fault:
                    launch.report(warp, block: self)
                    return .fault
                }
                launch.add(&warp.pointee.instructionCount)
            }
            if doneWarps == warpCount {
                launch.gridBarrier.finish()
                return .done
            }
            if gridGeneration != nil { return .more }
            if !progressed, !hasRunnable {
                launch.reportDeadlock(block: self)
                return .fault
            }
        }
        return .more
    }

    private var hasRunnable: Bool {
        for index in 0..<warpCount {
            let warp = warps[index]
            for slot in 0..<warp.fragmentCount where warp.fragments[slot].state == .runnable { return true }
        }
        return false
    }

    // MARK: Frames

    /// A frame for a call; nil when the launch has too many.
    func takeFrameOfCallee(_ function: Function) -> UnsafeMutablePointer<Frame>? {
        if frames[ObjectIdentifier(function)]?.isEmpty ?? true, !launch.book(max(64, function.registerByteCount)) {
            return nil
        }
        return takeFrame(function)
    }

    private func takeFrame(_ function: Function) -> UnsafeMutablePointer<Frame> {
        let key = ObjectIdentifier(function)
        if let frame = frames[key]?.popLast() {
            frame.pointee.parent = nil
            frame.pointee.depth = 0
            frame.pointee.localOffset = 0
            return frame
        }
        let registers = UnsafeMutableRawPointer.allocate(
            byteCount: max(64, function.registerByteCount), alignment: 64)
        memset(registers, 0, function.registerByteCount)
        for constant in function.constants {
            if constant.isWide {
                let slot = (registers + constant.offset).assumingMemoryBound(to: UInt64.self)
                for lane in 0..<laneCount { slot[lane] = constant.bits }
            } else {
                let slot = (registers + constant.offset).assumingMemoryBound(to: UInt32.self)
                for lane in 0..<laneCount { slot[lane] = UInt32(truncatingIfNeeded: constant.bits) }
            }
        }
        let frame = UnsafeMutablePointer<Frame>.allocate(capacity: 1)
        frame.initialize(to: Frame(function: .passUnretained(function), registers: registers))
        everyFrame.append(frame)
        return frame
    }

    func putFrame(_ frame: UnsafeMutablePointer<Frame>) {
        let key = frame.pointee.function.withUnretainedReference { ObjectIdentifier($0) }
        frames[key, default: []].append(frame)
    }

    // MARK: Exits and barriers

    /// The number of the barrier where all blocks meet.
    static let gridBarrier = 16

    /// Accounts for lanes that exited.
    func exited(_ count: Int) {
        exitedThreads += count
        if activeBarriers == 0 { return }
        for id in barriers.indices where barriers[id].arrived > 0 { releaseIfComplete(id) }
    }

    /// Counts arrivals at a barrier; threads that wait have been parked by the caller.
    func arrive(_ id: Int, threads: Int, expected: Int, trueCount: Int) {
        if barriers[id].arrived == 0 { activeBarriers += 1 }
        barriers[id].arrived += threads
        barriers[id].trueCount += trueCount
        if expected > 0 { barriers[id].expected = expected }
        releaseIfComplete(id)
    }

    private func releaseIfComplete(_ id: Int) {
        let barrier = barriers[id]
        let needed = barrier.expected > 0 ? barrier.expected : threadCount - exitedThreads
        guard barrier.arrived >= needed else { return }
        barriers[id] = Barrier()
        activeBarriers -= 1
        if id == Self.gridBarrier {
            gridGeneration = launch.gridBarrier.arrive()
        } else {
            release(id, barrier)
        }
    }

    private func release(_ id: Int, _ barrier: Barrier) {
        for index in 0..<warpCount {
            let warp = warps + index
            for slot in 0..<warp.pointee.fragmentCount {
                let fragment = warp.pointee.fragments + slot
                guard fragment.pointee.state == .blockBarrier, Int(fragment.pointee.barrier) == id else { continue }
                finishBarrier(fragment, barrier)
            }
        }
    }

    private func finishBarrier(_ fragment: UnsafeMutablePointer<Fragment>, _ barrier: Barrier) {
        let instruction = fragment.pointee.pc.instruction.pointee
        let mask = fragment.pointee.mask
        let target = (fragment.pointee.frame.pointee.registers + Int(instruction.d))
            .assumingMemoryBound(to: UInt32.self)
        switch BarrierForm(rawValue: instruction.flags & 7) {
        case .count:
            for lane in 0..<laneCount where (mask >> UInt32(lane)) & 1 == 1 {
                target[lane] = UInt32(truncatingIfNeeded: barrier.trueCount)
            }
        case .and:
            let bits: UInt32 = barrier.trueCount == barrier.arrived ? ~0 : 0
            target.pointee = (target.pointee & ~mask) | (bits & mask)
        case .or:
            let bits: UInt32 = barrier.trueCount > 0 ? ~0 : 0
            target.pointee = (target.pointee & ~mask) | (bits & mask)
        default: break
        }
        fragment.pointee.pc = fragment.pointee.pc.next
        fragment.pointee.state = .runnable
    }
}

/// What a barrier instruction does; the low bits of ``Instruction/flags``.
enum BarrierForm: UInt32 {
    case wait, arrive, count, and, or
}

extension Unmanaged {
    /// Calls `body` with the object without counting references.
    @inline(__always)
    func withUnretainedReference<R>(_ body: (Instance) -> R) -> R {
        _withUnsafeGuaranteedRef { body($0) }
    }
}
