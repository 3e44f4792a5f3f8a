internal import Glibc
internal import PTX

/// Resolves names across modules and places variables.
struct Linker {
    let modules: [PTXModule]
    let memory: DeviceMemory
    var scopes: [[String: LoadedProgram.Symbol]]
    var functions: [LoadedProgram.FunctionReference] = []
    var addressTaken: [Int] = []
    var globals: [LoadedProgram.Global] = []
    var allocations: [(address: UInt64, byteCount: UInt64)] = []
    var needsHeap = false
    private var exported: [String: (symbol: LoadedProgram.Symbol, isWeak: Bool)] = [:]
    /// Variables that got memory: module, index there, address.
    private var placed: [(module: Int, variable: Int, address: UInt64)] = []

    init(modules: [PTXModule], memory: DeviceMemory) {
        self.modules = modules
        self.memory = memory
        scopes = Array(repeating: [:], count: modules.count)
    }

    mutating func link(allocate: (UInt64, UInt64) -> UInt64?) throws(PTXError) {
        for index in modules.indices { try collectFunctions(of: index) }
        try placeVariables(allocate)
        for index in modules.indices { resolveDeclarations(of: index) }
        for item in placed { try initialize(item) }
    }

    private mutating func collectFunctions(of index: Int) throws(PTXError) {
        for function in modules[index].functions {
            if function.name == "malloc" { needsHeap = true }
            guard function.bodyRange != nil else { continue }
            let symbol = LoadedProgram.Symbol.function(index: functions.count)
            try define(
                function.name, symbol, linkage: function.linkage, module: index, at: function.position,
                isExported: function.linkage != .none || function.isEntry)
            functions.append(LoadedProgram.FunctionReference(module: index, function: function))
        }
    }

    private mutating func define(
        _ name: String, _ symbol: LoadedProgram.Symbol, linkage: PTXFunction.Linkage, module: Int,
        at position: PTXPosition, isExported: Bool
    ) throws(PTXError) {
        let isWeak = linkage == .weak || linkage == .common
        if isExported, let earlier = exported[name] {
            if !isWeak, !earlier.isWeak { throw PTXError(.name, at: position, "\(name) is defined twice") }
            if isWeak {
                scopes[module][name] = earlier.symbol
                return
            }
        }
        scopes[module][name] = symbol
        if isExported { exported[name] = (symbol, isWeak) }
    }

    private mutating func placeVariables(_ allocate: (UInt64, UInt64) -> UInt64?) throws(PTXError) {
        var offset: UInt64 = 0
        var largest: UInt64 = 512
        var pending: [(module: Int, variable: Int, offset: UInt64)] = []
        for (index, module) in modules.enumerated() {
            for (number, variable) in module.variables.enumerated() {
                if variable.space == .shared {
                    scopes[index][variable.name] =
                        variable.linkage == .extern || variable.byteCount == 0
                        ? .dynamicShared(alignment: variable.alignment) : .shared(index: number)
                    continue
                }
                guard variable.space == .global || variable.space == .const else { continue }
                if variable.linkage == .extern { continue }
                if variable.linkage == .weak || variable.linkage == .common, exported[variable.name] != nil {
                    scopes[index][variable.name] = exported[variable.name]?.symbol
                    continue
                }
                let alignment = UInt64(max(1, variable.alignment))
                offset = (offset + alignment - 1) / alignment * alignment
                largest = max(largest, alignment)
                // Bit 63 marks an offset that becomes an address below.
                try define(
                    variable.name, .variable(address: offset), linkage: variable.linkage, module: index,
                    at: variable.position, isExported: variable.linkage != .none)
                pending.append((index, number, offset))
                let size = variable.elementCount.multipliedReportingOverflow(
                    by: variable.vectorWidth * variable.type.byteCount)
                guard !size.overflow, size.partialValue < 1 << 40, offset < 1 << 40 else {
                    throw PTXError(.limit, at: variable.position, "\(variable.name) is too large")
                }
                offset += UInt64(size.partialValue)
            }
        }
        if pending.isEmpty { return }
        guard let address = allocate(max(offset, 1), largest) else {
            let position = modules[pending[0].module].variables[pending[0].variable].position
            throw PTXError(.limit, at: position, "no device memory for the module's variables")
        }
        allocations.append((address, max(offset, 1)))
        relocate(by: address)
        for item in pending { place(item.module, item.variable, address + item.offset) }
    }

    private mutating func relocate(by base: UInt64) {
        for index in scopes.indices {
            for (name, symbol) in scopes[index] {
                if case .variable(let offset) = symbol { scopes[index][name] = .variable(address: base + offset) }
            }
        }
        for (name, entry) in exported {
            if case .variable(let offset) = entry.symbol {
                exported[name] = (.variable(address: base + offset), entry.isWeak)
            }
        }
    }

    private mutating func place(_ module: Int, _ number: Int, _ address: UInt64) {
        let variable = modules[module].variables[number]
        placed.append((module, number, address))
        globals.append(
            LoadedProgram.Global(
                name: variable.name, address: address, byteCount: UInt64(variable.byteCount),
                isConstant: variable.space == .const, isManaged: variable.isManaged,
                reference: variable.reference))
    }

    private mutating func resolveDeclarations(of index: Int) {
        for variable in modules[index].variables where variable.linkage == .extern && variable.space != .shared {
            scopes[index][variable.name] = exported[variable.name]?.symbol ?? .unresolved
        }
        for function in modules[index].functions where function.bodyRange == nil {
            if scopes[index][function.name] != nil { continue }
            scopes[index][function.name] = exported[function.name]?.symbol ?? .unresolved
        }
    }

    private mutating func initialize(_ item: (module: Int, variable: Int, address: UInt64)) throws(PTXError) {
        let variable = modules[item.module].variables[item.variable]
        let size = variable.type.byteCount
        let count = min(variable.initializers.count, variable.elementCount * variable.vectorWidth)
        guard count > 0 else { return }
        guard let target = memory.hostPointer(address: item.address, byteCount: UInt64(variable.byteCount)) else {
            throw PTXError(.limit, at: variable.position, "no device memory for \(variable.name)")
        }
        for number in 0..<count {
            var bits: UInt64
            switch variable.initializers[number] {
            case .bits(let value): bits = value
            case .address(let name, let offset, _):
                bits = try address(of: name, in: item.module, at: variable.position) &+ UInt64(bitPattern: offset)
            }
            withUnsafeBytes(of: &bits) { source in
                guard let start = source.baseAddress else { return }
                (target + number * size).copyMemory(from: start, byteCount: min(size, 8))
            }
        }
    }

    private mutating func address(
        of name: String, in module: Int, at position: PTXPosition
    ) throws(PTXError) -> UInt64 {
        switch scopes[module][name] {
        case .variable(let address): return address
        case .function(let index):
            addressTaken.append(index)
            return LoadedProgram.address(ofFunction: index)
        case .shared, .dynamicShared, .unresolved, nil:
            throw PTXError(.name, at: position, "\(name) has no address for an initializer")
        }
    }
}
