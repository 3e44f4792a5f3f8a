/// The GPUs of a machine, as `roost-worker --list-devices` shows them.
public enum DriverDevices {
    /// Memory that a driver takes for the context of each worker, so that vGPUs can't have it.
    public static let reservedMemory = MemorySize.mebibytes(768)

    /// Reads lines of ordinal, UUID, bytes, multiprocessors, compute capability and name. Lines that read otherwise
    /// are left out.
    public static func parse(_ text: String) -> [Device] {
        text.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ", maxSplits: 5, omittingEmptySubsequences: false)
            guard words.count == 6, let ordinal = Int(words[0]), (0..<64).contains(ordinal),
                let byteCount = UInt64(words[2]), byteCount > reservedMemory.byteCount, !words[5].isEmpty
            else { return nil }
            return Device(
                id: DeviceID(rawValue: "gpu-\(ordinal)"), name: String(words[5]), kind: .cuda,
                memory: MemorySize(byteCount: byteCount - reservedMemory.byteCount), ordinal: ordinal)
        }
    }
}
