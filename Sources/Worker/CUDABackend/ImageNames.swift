import DeviceImages

/// The names of kernels and variables in an image. A driver lists a module's kernels, but finds variables only by
/// name, so the names come from the image; a name too many does no harm.
struct ImageNames {
    private(set) var kernels: [[UInt8]] = []
    private(set) var variables: [[UInt8]] = []
    /// Those of ``variables`` that PTX declares as managed.
    private(set) var managed: Set<[UInt8]> = []

    /// - Parameter computeCapability: That of the device, which decides what it takes from a fat binary.
    init(of image: [UInt8], computeCapability: Int) {
        guard let identified = try? DeviceImage(identifying: image) else { return }
        switch identified {
        case .ptx(let text): readPTX(text)
        case .cubin: readELF(image)
        case .fatbin(let reader): readFatbin(reader, computeCapability)
        case .linkBundle(let bundle):
            for input in bundle.inputs {
                let inner = ImageNames(of: input.content, computeCapability: computeCapability)
                kernels += inner.kernels
                variables += inner.variables
                managed.formUnion(inner.managed)
            }
        case .unknown: break
        }
    }

    /// Machine code for the device comes before PTX, the newest first, as the driver chooses.
    private mutating func readFatbin(_ reader: FatbinReader, _ computeCapability: Int) {
        let code = reader.entries.filter {
            $0.kind == .cubin && $0.arch / 10 == computeCapability / 10 && $0.arch <= computeCapability
        }
        let ptx = reader.entries.filter { $0.kind == .ptx && $0.arch <= computeCapability }
        let newest = code.max { $0.arch < $1.arch } ?? ptx.max { $0.arch < $1.arch }
        guard let newest, let contents = try? reader.contents(of: newest) else { return }
        if newest.kind == .cubin { readELF(contents) } else { readPTX(contents) }
    }

    // MARK: - PTX

    /// Reads the statements outside of bodies: what stands before `;`, `{` or `=` declares something.
    private mutating func readPTX(_ text: [UInt8]) {
        var depth = 0
        var statement: [UInt8] = []
        var index = 0
        while index < text.count {
            let byte = text[index]
            if byte == UInt8(ascii: "/"), index + 1 < text.count, text[index + 1] == byte {
                while index < text.count, text[index] != UInt8(ascii: "\n") { index += 1 }
                continue
            }
            switch byte {
            case UInt8(ascii: "{"):
                if depth == 0 { readStatement(statement) }
                statement = []
                depth += 1
            case UInt8(ascii: "}"):
                depth = max(0, depth - 1)
                statement = []
            case UInt8(ascii: ";"):
                if depth == 0 { readStatement(statement) }
                statement = []
            default: if depth == 0 { statement.append(byte) }
            }
            index += 1
        }
    }

    private mutating func readStatement(_ statement: [UInt8]) {
        // `.attribute(.managed)` is the one parenthesis before a variable's name.
        let isManaged = statement.firstRange(of: Array(".attribute(.managed)".utf8))
        var statement = statement
        if let isManaged { statement.replaceSubrange(isManaged, with: Array(" .managed ".utf8)) }
        let end = statement.firstIndex { $0 == UInt8(ascii: "=") || $0 == UInt8(ascii: "(") || $0 == UInt8(ascii: "[") }
        let words = statement[..<(end ?? statement.count)].split { $0 <= UInt8(ascii: " ") }
        guard let name = words.last, name.first != UInt8(ascii: ".") else { return }
        func has(_ word: String) -> Bool { words.contains { $0.elementsEqual(word.utf8) } }
        if has(".entry") {
            kernels.append(Array(name))
        } else if has(".global") || has(".const") {
            variables.append(Array(name))
            if has(".managed") { managed.insert(Array(name)) }
        }
    }

    // MARK: - Machine code

    /// Reads the symbol tables of a 64-bit ELF file.
    private mutating func readELF(_ bytes: [UInt8]) {
        guard let table = bytes.word(40), let count = bytes.half(60) else { return }
        for section in 0..<Int(count) {
            let header = Int(clamping: table) + section * 64
            guard bytes.integer(header + 4, 4) == 2, let start = bytes.word(header + 24),
                let size = bytes.word(header + 32), let link = bytes.integer(header + 40, 4),
                let strings = bytes.word(Int(clamping: table) + Int(link) * 64 + 24)
            else { continue }
            for symbol in 0..<Int(clamping: min(size, UInt64(bytes.count)) / 24) {
                readSymbol(bytes, Int(clamping: start) + symbol * 24, strings: Int(clamping: strings))
            }
        }
    }

    private mutating func readSymbol(_ bytes: [UInt8], _ offset: Int, strings: Int) {
        guard let name = bytes.integer(offset, 4), let kind = bytes.integer(offset + 4, 1),
            let section = bytes.half(offset + 6), section != 0, let size = bytes.word(offset + 16),
            let text = bytes.text(strings + Int(name)), !text.isEmpty
        else { return }
        switch kind & 15 {
        case 2: kernels.append(text)
        case 0, 1: if size > 0 { variables.append(text) }
        default: break
        }
    }
}

extension [UInt8] {
    /// A little-endian number, or nil beyond the end.
    fileprivate func integer(_ offset: Int, _ byteCount: Int) -> UInt64? {
        guard offset >= 0, offset <= count - byteCount else { return nil }
        var value: UInt64 = 0
        for index in 0..<byteCount { value |= UInt64(self[offset + index]) << UInt64(8 * index) }
        return value
    }

    fileprivate func word(_ offset: Int) -> UInt64? { integer(offset, 8) }
    fileprivate func half(_ offset: Int) -> UInt64? { integer(offset, 2) }

    /// The bytes up to a zero.
    fileprivate func text(_ offset: Int) -> [UInt8]? {
        guard offset >= 0, offset < count, let end = self[offset...].firstIndex(of: 0) else { return nil }
        return Array(self[offset..<end])
    }
}
