internal import PTX

/// Where the shared variables lie that a kernel uses, its callees included.
struct SharedLayout {
    private struct Key: Hashable {
        /// A function index for variables of bodies, or a module index.
        var owner: Int
        var isBody: Bool
        var variable: Int
    }

    private var offsets: [Key: Int] = [:]
    /// Bytes of static variables.
    private(set) var byteCount = 0
    private var dynamicAlignment = 16

    /// Where dynamic shared memory starts.
    var dynamicOffset: Int { (byteCount + dynamicAlignment - 1) / dynamicAlignment * dynamicAlignment }

    func offset(function: Int, variable: Int) -> Int? {
        offsets[Key(owner: function, isBody: true, variable: variable)]
    }

    func offset(module: Int, variable: Int) -> Int? {
        offsets[Key(owner: module, isBody: false, variable: variable)]
    }

    mutating func addDynamic(alignment: Int) {
        dynamicAlignment = max(dynamicAlignment, min(alignment, 4096))
    }

    mutating func add(_ variable: PTXVariable, owner: Int, isBody: Bool, index: Int) throws(PTXError) {
        let key = Key(owner: owner, isBody: isBody, variable: index)
        if offsets[key] != nil { return }
        let alignment = max(1, min(variable.alignment, 4096))
        let start = (byteCount + alignment - 1) / alignment * alignment
        let size = variable.elementCount.multipliedReportingOverflow(
            by: variable.vectorWidth * variable.type.byteCount)
        guard !size.overflow, size.partialValue <= 1 << 20, start <= 1 << 20 else {
            throw PTXError(.limit, at: variable.position, "\(variable.name) is larger than shared memory")
        }
        offsets[key] = start
        byteCount = start + size.partialValue
    }
}

/// Decodes a kernel with all functions that it may call.
struct KernelBuilder {
    private let program: LoadedProgram
    private var bodies: [Int: PTXBody] = [:]
    private var order: [Int] = []
    private var shared = SharedLayout()
    private var hasIndirectCalls = false
    private var hasCalls = false

    init(_ program: LoadedProgram) { self.program = program }

    /// Bytes of local memory for calls, beyond what the frames of all functions take together.
    private static let callStackByteCount = 64 << 10

    mutating func build(entry index: Int) throws(PTXError) -> Kernel {
        try collect(index)
        if hasIndirectCalls { for taken in program.addressTaken { try? collect(taken) } }
        for function in order { try layOutShared(function) }
        var functions: [Int: Function] = [:]
        for function in order {
            guard let body = bodies[function] else { continue }
            var decoder = Decoder(program, functionIndex: function, body: body, shared: shared)
            functions[function] = try decoder.decode()
        }
        guard let entry = functions[index] else {
            throw PTXError(.name, at: program.functions[index].function.position, "the kernel has no body")
        }
        return Kernel(parts(index, entry, functions))
    }

    private func parts(_ index: Int, _ entry: Function, _ functions: [Int: Function]) -> Kernel.Parts {
        let function = program.functions[index].function
        let module = program.modules[program.functions[index].module]
        var parts = Kernel.Parts(name: function.name, entry: entry, functions: functions)
        parts.parameters = function.parameterLayout.map {
            Kernel.Parameter(offset: $0.offset, byteCount: $0.byteCount)
        }
        parts.parameterByteCount = min(function.totalParameterBytes, 1 << 16)
        parts.registerCount = min(255, functions.values.map(\.registerCount).max() ?? 0)
        parts.staticSharedBytes = shared.byteCount
        parts.dynamicSharedOffset = shared.dynamicOffset
        parts.constantBytes = module.variables.filter { $0.space == .const }.reduce(0) { $0 &+ $1.byteCount }
        if let required = function.requiredThreads {
            parts.requiredThreads = Extent(Self.size(required.x), Self.size(required.y), Self.size(required.z))
            parts.maxThreadsPerBlock = Self.threads(required)
        } else if let limit = function.maxThreads {
            parts.maxThreadsPerBlock = Self.threads(limit)
        }
        parts.target = module.target
        let frames = functions.values.reduce(0) { $0 + $1.localByteCount }
        parts.stackByteCount = hasCalls ? frames + Self.callStackByteCount : frames
        parts.heap = program.heap
        return parts
    }

    private static func size(_ value: Int) -> UInt32 { UInt32(clamping: max(1, value)) }

    private static func threads(_ extent: (x: Int, y: Int, z: Int)) -> Int {
        Int(min(1024, Extent(size(extent.x), size(extent.y), size(extent.z)).count))
    }

    // MARK: Reachability

    private mutating func collect(_ index: Int) throws(PTXError) {
        var pending = [index]
        while let next = pending.popLast() {
            if bodies[next] != nil { continue }
            let reference = program.functions[next]
            let body = try program.modules[reference.module].body(of: reference.function)
            bodies[next] = body
            order.append(next)
            for case .instruction(let instruction) in body.statements {
                if instruction.opcode == "call" { noteCall(instruction, module: reference.module) }
                pending += functions(named: instruction.operands, in: reference.module)
            }
        }
    }

    /// Functions that operands name, to call them or for their addresses.
    private func functions(named operands: [PTXOperand], in module: Int) -> [Int] {
        var found: [Int] = []
        for operand in operands {
            visit(operand) { name in
                if case .function(let index) = program.symbol(name, in: module) { found.append(index) }
            }
        }
        return found
    }

    private mutating func noteCall(_ instruction: PTXInstruction, module: Int) {
        hasCalls = true
        let isIndirect = instruction.operands.contains {
            if case .register = $0 { return true }
            return false
        }
        if isIndirect { hasIndirectCalls = true }
    }

    private func visit(_ operand: PTXOperand, _ found: (String) -> Void) {
        switch operand {
        case .symbol(let name, _): found(name)
        case .address(let inner, _): visit(inner, found)
        case .vector(let items), .list(let items): for item in items { visit(item, found) }
        case .pair(let first, let second):
            visit(first, found)
            visit(second, found)
        default: break
        }
    }

    private mutating func layOutShared(_ index: Int) throws(PTXError) {
        guard let body = bodies[index] else { return }
        let module = program.functions[index].module
        for (number, variable) in body.variables.enumerated() where variable.space == .shared {
            try shared.add(variable, owner: index, isBody: true, index: number)
        }
        var names: Set<String> = []
        for case .instruction(let instruction) in body.statements {
            for operand in instruction.operands { visit(operand) { names.insert($0) } }
        }
        for name in names.sorted() {
            switch program.symbol(name, in: module) {
            case .shared(let number):
                try shared.add(program.modules[module].variables[number], owner: module, isBody: false, index: number)
            case .dynamicShared(let alignment): shared.addDynamic(alignment: alignment)
            default: break
            }
        }
    }
}
