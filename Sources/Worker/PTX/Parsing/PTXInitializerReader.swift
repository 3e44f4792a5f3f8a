/// Reads what stands behind `=` in the declaration of a variable, as one flat list of elements.
struct PTXInitializerReader {
    let head: PTXDeclarationHead
    let dimensions: [Int]
    private(set) var values: [PTXVariable.Initializer] = []
    private var padding = 0

    init(head: PTXDeclarationHead, dimensions: [Int]) {
        self.head = head
        // A vector is one dimension more: `.v4 .f32 a[2] = {{…}, {…}}`.
        self.dimensions = head.vectorWidth > 1 ? dimensions + [head.vectorWidth] : dimensions
    }

    mutating func read(_ cursor: inout PTXCursor) throws(PTXError) {
        let start = cursor.position
        if cursor.isAt("{") {
            try list(&cursor, depth: 0)
        } else {
            try value(&cursor)
        }
        let capacity = dimensions.reduce(1) { $0.multipliedReportingOverflow(by: $1).partialValue }
        guard dimensions.first == 0 || values.count <= capacity else {
            throw PTXError(
                .syntax, at: start, "expected at most \(capacity) initial values, found \(values.count)")
        }
    }

    private mutating func list(_ cursor: inout PTXCursor, depth: Int) throws(PTXError) {
        guard depth <= PTXLimits.arrayDimensions else {
            throw PTXError(
                .limit, at: cursor.position, "initial values may nest at most \(PTXLimits.arrayDimensions) deep")
        }
        // Elements of one nested list at this depth; what the text leaves out of it is zero.
        let (span, overflow) = dimensions.dropFirst(depth + 1).reduce((1, false)) { product, count in
            let (value, overflow) = product.0.multipliedReportingOverflow(by: count)
            return (value, product.1 || overflow)
        }
        try cursor.expect("{", "before initial values")
        while !cursor.isAt("}") {
            if cursor.isAt("{") {
                let start = (count: values.count, position: cursor.position)
                try list(&cursor, depth: depth + 1)
                let missing = overflow ? Int.max : span - (values.count - start.count)
                try pad(missing, at: start.position)
            } else {
                try value(&cursor)
            }
            guard try cursor.take(",") else { break }
        }
        try cursor.expect("}", "after initial values")
    }

    private mutating func pad(_ count: Int, at position: PTXPosition) throws(PTXError) {
        guard count > 0 else { return }
        guard count <= PTXLimits.paddedInitializers - padding else {
            throw PTXError(
                .limit, at: position, "a list may leave out at most \(PTXLimits.paddedInitializers) initial values")
        }
        padding += count
        values.append(contentsOf: repeatElement(.bits(0), count: count))
    }

    private mutating func value(_ cursor: inout PTXCursor) throws(PTXError) {
        let isGeneric = cursor.isAt(word: "generic")
        if cursor.token.kind == .identifier, !cursor.isAt(word: "WARP_SZ") {
            var name = try cursor.expectIdentifier("a symbol")
            if isGeneric, try cursor.take("(") {
                name = try cursor.expectIdentifier("a symbol after 'generic('")
                try cursor.expect(")", "after 'generic(\(name)'")
                values.append(.address(symbol: name, offset: try cursor.optionalOffset(), isGeneric: true))
            } else {
                values.append(.address(symbol: name, offset: try cursor.optionalOffset(), isGeneric: false))
            }
            return
        }
        let start = cursor.position
        var ahead = cursor
        let isNegative = try ahead.take("-")
        if ahead.token.kind == .number {
            switch try ahead.expectLiteral("a number") {
            case .float(let bits):
                cursor = ahead
                values.append(.bits(real(Double(Float(bitPattern: bits)), isNegative, exact: bits)))
                return
            case .double(let bits):
                cursor = ahead
                values.append(.bits(real(Double(bitPattern: bits), isNegative, exact: nil)))
                return
            case .integer:
                break
            }
        }
        let bits = try cursor.expectInteger("an initial value")
        guard !cursor.isAt("(") else {
            throw PTXError(.unsupported, at: start, "the mask operator in initial values is not supported")
        }
        values.append(.bits(integer(bits)))
    }

    /// The bits of one element that holds a floating-point constant.
    private func real(_ magnitude: Double, _ isNegative: Bool, exact: UInt32?) -> UInt64 {
        switch head.type {
        case .f64, .b64, .u64, .s64:
            return magnitude.bitPattern ^ (isNegative ? 1 << 63 : 0)
        default:
            let bits = exact ?? Float(magnitude).bitPattern
            return UInt64(bits ^ (isNegative ? 1 << 31 : 0))
        }
    }

    /// The bits of one element that holds an integer constant.
    private func integer(_ bits: UInt64) -> UInt64 {
        switch head.type {
        case .f32: return UInt64(Float(Int64(bitPattern: bits)).bitPattern)
        case .f64: return Double(Int64(bitPattern: bits)).bitPattern
        default:
            let width = head.type.byteCount * 8
            return width >= 64 ? bits : bits & (1 << UInt64(width) - 1)
        }
    }
}
