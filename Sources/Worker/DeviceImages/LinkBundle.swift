/// Several inputs of one `cuLinkCreate` session, as `cuLinkComplete` hands them out and `cuModuleLoadData` takes them.
///
/// Layout, little-endian: the magic `RSTLINK1`, u32 count, u32 zero; then for each input: u32 kind, u32 bytes of the
/// name, u64 bytes of the content, the name, the content; name and content each padded with zeros to 8 bytes.
public struct LinkBundle: Sendable, Equatable {
    /// One `cuLinkAddData` or `cuLinkAddFile`.
    public struct Input: Sendable, Equatable {
        /// The value of `CUjitInputType`: 0 cubin, 1 PTX, 2 fatbin, 3 object, 4 library, 5 NVVM.
        public var kind: UInt32
        public var name: [UInt8]
        public var content: [UInt8]

        public init(kind: UInt32, name: [UInt8], content: [UInt8]) {
            self.kind = kind
            self.name = name
            self.content = content
        }
    }

    public var inputs: [Input]

    /// The first 8 bytes.
    public static let magic: StaticString = "RSTLINK1"
    private static let inputLimit = 65_536

    public init(inputs: [Input]) {
        self.inputs = inputs
    }

    /// Whether `bytes` start with the magic.
    public static func matches(_ bytes: [UInt8]) -> Bool {
        guard bytes.count >= magic.utf8CodeUnitCount else { return false }
        for index in 0..<magic.utf8CodeUnitCount where bytes[index] != magic.utf8Start[index] { return false }
        return true
    }

    /// The bundle as bytes.
    public func encoded() -> [UInt8] {
        var bytes: [UInt8] = []
        for index in 0..<Self.magic.utf8CodeUnitCount { bytes.append(Self.magic.utf8Start[index]) }
        Self.append(UInt32(truncatingIfNeeded: inputs.count), to: &bytes)
        Self.append(UInt32(0), to: &bytes)
        for input in inputs {
            Self.append(input.kind, to: &bytes)
            Self.append(UInt32(truncatingIfNeeded: input.name.count), to: &bytes)
            Self.append(UInt64(input.content.count), to: &bytes)
            for part in [input.name, input.content] {
                bytes.append(contentsOf: part)
                while bytes.count % 8 != 0 { bytes.append(0) }
            }
        }
        return bytes
    }

    /// Reads a bundle; bytes behind the last input are ignored.
    public init(decoding bytes: [UInt8]) throws(DeviceImageError) {
        let image = ImageBytes(bytes: bytes)
        guard Self.matches(bytes), let count = image.load(8, as: UInt32.self) else {
            throw DeviceImageError(.corrupt, "the link bundle ends within its header")
        }
        guard count <= Self.inputLimit else {
            throw DeviceImageError(.limit, "the link bundle announces \(count) inputs")
        }
        inputs = []
        var offset = 16
        for index in 0..<count {
            guard let kind = image.load(offset, as: UInt32.self),
                let nameCount = image.load(offset + 4, as: UInt32.self),
                let contentCount = image.load(offset + 8, as: UInt64.self),
                let name = image.range(offset + 16, UInt64(nameCount)),
                let paddedName = UInt64(nameCount).paddedToEight,
                let nameField = image.range(offset + 16, paddedName),
                let content = image.range(nameField.upperBound, contentCount),
                let paddedContent = contentCount.paddedToEight,
                let contentField = image.range(nameField.upperBound, paddedContent)
            else { throw DeviceImageError(.corrupt, "input \(index) of the link bundle leaves the bundle") }
            inputs.append(Input(kind: kind, name: Array(bytes[name]), content: Array(bytes[content])))
            offset = contentField.upperBound
        }
    }

    private static func append<T: FixedWidthInteger>(_ value: T, to bytes: inout [UInt8]) {
        for index in 0..<MemoryLayout<T>.size {
            bytes.append(UInt8(truncatingIfNeeded: value >> T(truncatingIfNeeded: index * 8)))
        }
    }
}
