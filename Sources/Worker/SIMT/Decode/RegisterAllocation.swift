internal import PTX

/// Gives each virtual register a place in the register file; registers that never live at once share places.
///
/// Lanes are independent: what matters is each thread's own control flow, so a place may pass from one register to
/// another while other lanes are elsewhere. Within one instruction, results never share with sources.
struct RegisterAllocation {
    /// Byte offsets, by register index.
    private(set) var offsets: [Int]
    private(set) var byteCount = 0
    /// 32-bit registers that are live at once, about as a compiler would count them.
    private(set) var registerCount = 0

    init(_ body: PTXBody) {
        offsets = Array(repeating: 0, count: body.registers.count)
        let intervals = Liveness(body).intervals
        let order = body.registers.indices.filter { intervals[$0].start <= intervals[$0].end }
            .sorted { intervals[$0].start < intervals[$1].start }
        var free: [[Int]] = [[], [], []]
        var active = Heap()
        for register in order {
            while let next = active.first, next.end < intervals[register].start {
                active.removeFirst()
                free[next.sizeClass].append(next.offset)
            }
            let type = body.registers[register].type
            let sizeClass = type == .pred ? 0 : type.byteCount > 4 ? 2 : 1
            let width = max(1, body.registers[register].vectorWidth)
            if width > 1 {
                // Components of predicates are 128 bytes apart too.
                offsets[register] = take(max(128, Self.size(sizeClass)) * width)
                continue
            }
            let offset = free[sizeClass].popLast() ?? take(Self.size(sizeClass))
            offsets[register] = offset
            active.insert(Heap.Entry(end: intervals[register].end, offset: offset, sizeClass: sizeClass))
        }
        byteCount = (byteCount + 63) & ~63
        registerCount += 8
    }

    private static func size(_ sizeClass: Int) -> Int { sizeClass == 0 ? 64 : sizeClass == 1 ? 128 : 256 }

    private mutating func take(_ size: Int) -> Int {
        defer { byteCount += size }
        if size >= 128 { registerCount += size / 128 }
        return byteCount
    }

    /// Places in use, by the end of their use.
    private struct Heap {
        struct Entry {
            var end: Int
            var offset: Int
            var sizeClass: Int
        }

        private var entries: [Entry] = []
        var first: Entry? { entries.first }

        mutating func insert(_ entry: Entry) {
            entries.append(entry)
            var child = entries.count - 1
            while child > 0, entries[(child - 1) / 2].end > entries[child].end {
                entries.swapAt(child, (child - 1) / 2)
                child = (child - 1) / 2
            }
        }

        mutating func removeFirst() {
            entries.swapAt(0, entries.count - 1)
            entries.removeLast()
            var parent = 0
            while true {
                var least = parent
                for child in [2 * parent + 1, 2 * parent + 2] where child < entries.count {
                    if entries[child].end < entries[least].end { least = child }
                }
                if least == parent { return }
                entries.swapAt(parent, least)
                parent = least
            }
        }
    }
}

/// Where in a body each register holds a value that is still needed.
struct Liveness {
    struct Interval {
        var start = Int.max
        var end = -1

        mutating func include(_ position: Int) {
            start = min(start, position)
            end = max(end, position)
        }
    }

    private struct Block {
        var first: Int
        var end: Int
        var successors: [Int] = []
        /// Registers that are read before they are written, and ones that are written first.
        var used: [UInt64]
        var defined: [UInt64]
        var liveIn: [UInt64]
        var liveOut: [UInt64]
    }

    /// First and last positions, by register; empty for registers that no instruction names.
    private(set) var intervals: [Interval]
    private var blocks: [Block] = []
    private let words: Int

    init(_ body: PTXBody) {
        intervals = Array(repeating: Interval(), count: body.registers.count)
        words = (body.registers.count + 63) / 64
        let accesses = body.statements.map { RegisterAccess($0) }
        for (position, access) in accesses.enumerated() {
            for register in access.all { intervals[register].include(position) }
        }
        findBlocks(body, accesses)
        guard blocks.count * words <= 1 << 22, solve() else {
            // Too large to analyze: everything lives everywhere.
            for register in intervals.indices { intervals[register] = Interval(start: 0, end: accesses.count) }
            return
        }
        for block in blocks {
            extend(block.liveIn, to: block.first)
            extend(block.liveOut, to: block.end - 1)
        }
    }

    private mutating func extend(_ set: [UInt64], to position: Int) {
        for (word, bits) in set.enumerated() {
            var rest = bits
            while rest != 0 {
                intervals[word * 64 + rest.trailingZeroBitCount].include(position)
                rest &= rest - 1
            }
        }
    }

    private mutating func findBlocks(_ body: PTXBody, _ accesses: [RegisterAccess]) {
        var leaders: Set<Int> = [0]
        var labels: [String: Int] = [:]
        var targets: [String: [String]] = [:]
        for (position, statement) in body.statements.enumerated() {
            switch statement {
            case .label(let name):
                labels[name] = position
                leaders.insert(position)
            case .branchTargets(let name, let list): targets[name] = list
            case .instruction(let instruction):
                if ["bra", "brx", "ret", "exit"].contains(instruction.opcode) { leaders.insert(position + 1) }
            case .callPrototype: break
            }
        }
        let starts = leaders.filter { $0 < body.statements.count }.sorted()
        let empty = [UInt64](repeating: 0, count: words)
        let indexOf = Dictionary(uniqueKeysWithValues: starts.enumerated().map { ($1, $0) })
        for (index, start) in starts.enumerated() {
            let end = index + 1 < starts.count ? starts[index + 1] : body.statements.count
            var block = Block(first: start, end: end, used: empty, defined: empty, liveIn: empty, liveOut: empty)
            for position in start..<end { Self.note(accesses[position], in: &block) }
            var falls = true
            if case .instruction(let last) = body.statements[end - 1] {
                let names = Self.branchLabels(last, targets)
                block.successors = names.compactMap { labels[$0] }.compactMap { indexOf[$0] }
                let ends = ["bra", "brx", "ret", "exit"].contains(last.opcode)
                falls = !ends || last.predicate != nil
            }
            if falls, index + 1 < starts.count { block.successors.append(index + 1) }
            blocks.append(block)
        }
    }

    private static func branchLabels(_ instruction: PTXInstruction, _ targets: [String: [String]]) -> [String] {
        guard instruction.opcode == "bra" || instruction.opcode == "brx" else { return [] }
        return instruction.operands.flatMap { operand -> [String] in
            guard case .symbol(let name, _) = operand else { return [] }
            return targets[name] ?? [name]
        }
    }

    private static func note(_ access: RegisterAccess, in block: inout Block) {
        for register in access.uses where block.defined[register / 64] >> UInt64(register % 64) & 1 == 0 {
            block.used[register / 64] |= 1 << UInt64(register % 64)
        }
        for register in access.definitions { block.defined[register / 64] |= 1 << UInt64(register % 64) }
    }

    /// False when it would take too long: a text can be such that every pass moves one register by one block.
    private mutating func solve() -> Bool {
        var work = 0
        var changed = true
        while changed {
            changed = false
            work += blocks.count * (words + 1)
            if work > 1 << 28 { return false }
            for index in blocks.indices.reversed() {
                var out = blocks[index].liveOut
                for successor in blocks[index].successors {
                    for word in 0..<words { out[word] |= blocks[successor].liveIn[word] }
                }
                var new = blocks[index].used
                for word in 0..<words { new[word] |= out[word] & ~blocks[index].defined[word] }
                if new != blocks[index].liveIn || out != blocks[index].liveOut {
                    blocks[index].liveIn = new
                    blocks[index].liveOut = out
                    changed = true
                }
            }
        }
        return true
    }
}

/// The registers that a statement reads and writes.
struct RegisterAccess {
    /// Read, or written only in part or under a guard.
    private(set) var uses: [Int] = []
    /// Written whole.
    private(set) var definitions: [Int] = []

    var all: [Int] { uses + definitions }

    init(_ statement: PTXStatement) {
        guard case .instruction(let instruction) = statement else { return }
        if let predicate = instruction.predicate { uses.append(predicate.register) }
        for (index, operand) in instruction.operands.enumerated() {
            let isResult = index == 0 && Self.writesFirst.contains(instruction.opcode)
            if isResult, instruction.predicate == nil {
                Self.visit(operand, whole: { definitions.append($0) }, part: { uses.append($0) })
            } else {
                Self.visit(operand, whole: { uses.append($0) }, part: { uses.append($0) })
            }
        }
    }

    /// All registers that an operand names.
    static func registers(of operand: PTXOperand) -> [Int] {
        var found: [Int] = []
        visit(operand, whole: { found.append($0) }, part: { found.append($0) })
        return found
    }

    private static func visit(_ operand: PTXOperand, whole: (Int) -> Void, part: (Int) -> Void) {
        switch operand {
        case .register(let index): whole(index)
        case .negated(let index), .component(let index, _): part(index)
        case .address(let base, _): visit(base, whole: part, part: part)
        case .vector(let items), .list(let items): for item in items { visit(item, whole: whole, part: part) }
        case .pair(let first, let second):
            visit(first, whole: whole, part: part)
            visit(second, whole: whole, part: part)
        default: break
        }
    }

    /// Opcodes that write all of their first operand and read none of it. Others are taken to read it too.
    private static let writesFirst: Set<String> = [
        "mov", "ld", "ldu", "cvta", "cvt", "isspacep", "selp", "slct", "setp", "set", "testp", "add", "sub", "mul",
        "mad", "mul24", "mad24", "sad", "div", "rem", "abs", "neg", "min", "max", "fma", "rcp", "sqrt", "rsqrt", "sin",
        "cos", "lg2", "ex2", "tanh", "copysign", "and", "or", "xor", "not", "cnot", "shl", "shr", "shf", "popc", "clz",
        "bfind", "brev", "bfe", "bfi", "bmsk", "szext", "prmt", "lop3", "dp4a", "dp2a", "addc", "subc", "madc", "atom",
        "activemask", "shfl", "vote", "match", "redux", "tex", "tld4", "txq", "suq",
        "suld",
    ]
}
