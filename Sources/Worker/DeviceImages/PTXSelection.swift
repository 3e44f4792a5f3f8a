/// PTX that a software GPU takes from an image.
public struct SelectedPTX: Sendable, Equatable {
    /// The PTX text, without zero bytes at its end.
    public var text: [UInt8]
    /// The `NN` of the fatbin entry's `compute_NN`; nil for bare text, whose `.target` says it.
    public var arch: Int?
    /// The name that the program gave to a linked input, or the fatbin to its source; empty where none did.
    public var name: [UInt8]
}

extension DeviceImage {
    /// The PTX to run: of a fatbin the entry with the highest architecture, of a link bundle each input's.
    ///
    /// A software GPU is not bound to an architecture, so machine code is never taken and no entry is too new.
    public func selectPTX(byteLimit: Int = FatbinReader.defaultByteLimit) throws(DeviceImageError) -> [SelectedPTX] {
        switch self {
        case .ptx(let text):
            guard text.count <= byteLimit else { throw .tooLarge(byteLimit) }
            return [SelectedPTX(text: text, arch: nil, name: [])]
        case .cubin(let arch):
            throw Self.onlyMachineCode([arch])
        case .fatbin(let reader):
            return [try Self.selectPTX(reader, byteLimit: byteLimit)]
        case .linkBundle(let bundle):
            return try Self.selectPTX(bundle, byteLimit: byteLimit)
        case .unknown:
            throw DeviceImageError(.unsupported, "the image is neither PTX, nor a fatbin, nor a cubin")
        }
    }

    private static func selectPTX(_ reader: FatbinReader, byteLimit: Int) throws(DeviceImageError) -> SelectedPTX {
        var best: FatbinEntry?
        for entry in reader.entries where entry.kind == .ptx {
            if let chosen = best, chosen.arch >= entry.arch { continue }
            best = entry
        }
        guard let best else {
            let archs = Set(reader.entries.filter { $0.kind == .cubin }.map(\.arch)).sorted()
            guard !archs.isEmpty else {
                throw DeviceImageError(.noKernelImage, "the fatbin holds neither PTX nor machine code")
            }
            throw onlyMachineCode(archs)
        }
        return SelectedPTX(
            text: try reader.contents(of: best, byteLimit: byteLimit), arch: best.arch, name: best.objectName)
    }

    private static func selectPTX(_ bundle: LinkBundle, byteLimit: Int) throws(DeviceImageError) -> [SelectedPTX] {
        var selected: [SelectedPTX] = []
        var budget = byteLimit
        for input in bundle.inputs where !isRuntimeLibrary(input) {
            let image = try DeviceImage(identifying: input.content)
            let name = String(decoding: input.name, as: UTF8.self)
            switch image {
            case .linkBundle:
                throw DeviceImageError(.unsupported, "the linked input '\(name)' is itself a link bundle")
            case .unknown:
                throw DeviceImageError(
                    .unsupported,
                    "the linked input '\(name)' of kind \(input.kind) is neither PTX nor a fatbin with PTX")
            case .fatbin(let reader) where name == "linked" && !reader.entries.contains { $0.kind == .ptx }:
                // Machine code of a separately compiled program; what it was linked from follows.
                continue
            default:
                for var ptx in try image.selectPTX(byteLimit: budget) where !isDeviceRuntime(ptx.text) {
                    budget -= ptx.text.count
                    ptx.name = input.name
                    selected.append(ptx)
                }
            }
        }
        guard !selected.isEmpty else { throw DeviceImageError(.noKernelImage, "the link bundle holds no PTX") }
        return selected
    }

    /// The device runtime comes with the software GPU, so programs that link `libcudadevrt.a` need nothing from it.
    private static func isRuntimeLibrary(_ input: LinkBundle.Input) -> Bool {
        input.kind == 4 && String(decoding: input.name, as: UTF8.self).contains("cudadevrt")
    }

    /// Separately compiled programs hold the device runtime without a name; it defines its version.
    private static func isDeviceRuntime(_ text: [UInt8]) -> Bool {
        let mark = Array(".global .align 4 .u32 __CNPRT_VERSION_NUMBER__".utf8)
        guard text.count > 1 << 16 else { return false }
        return text.withUnsafeBytes { bytes in
            bytes.indices.dropLast(mark.count).contains { start in
                bytes[start] == mark[0] && bytes[start..<start + mark.count].elementsEqual(mark)
            }
        }
    }

    private static func onlyMachineCode(_ archs: [Int]) -> DeviceImageError {
        let list = archs.map { "sm_\($0)" }.joined(separator: ", ")
        return DeviceImageError(
            .noKernelImage,
            "the image holds only SASS for \(list): recompile with PTX (-gencode arch=compute_80,code=compute_80)")
    }
}
