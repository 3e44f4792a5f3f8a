public import Scheduling

/// The public trace of a GPU cluster that "Beware of Fragmentation" (USENIX ATC 2023) is measured on.
public struct OpenBTrace: Sendable {
    /// A request of the trace with its times.
    public struct Pod: Sendable {
        /// What it asks for.
        public var request: WorkloadRequest
        /// When it came, in seconds.
        public var creation: Int
        /// When it left, in seconds.
        public var deletion: Int

        /// Compute of all devices that it asks for, in thousandths of a device.
        public var computeMilli: Int {
            guard case .milli(let milli) = request.devices.compute else { return 0 }
            return milli * request.devices.count
        }
    }

    /// The hosts, in the order of their names.
    public var hosts: [HostDescription]
    /// The requests, in the order of their names.
    public var pods: [Pod]

    /// Reads the two lists, each as the text of its file.
    public init(nodes: String, pods: String) {
        hosts = OpenBTrace.rows(nodes).map { row in
            let count = Int(row[3]) ?? 0
            let devices = (0..<count).map { DeviceDescription(id: String($0), model: String(row[4]), vramMiB: 0) }
            return HostDescription(
                name: String(row[0]), cpuMilli: Int(row[1]) ?? 0, memoryMiB: Int(row[2]) ?? 0, devices: devices)
        }
        hosts.sort { $0.name < $1.name }
        self.pods = OpenBTrace.rows(pods).map { row in
            let count = Int(row[3]) ?? 0
            let models = row[5].split(separator: "|").map(String.init)
            let request = WorkloadRequest(
                id: String(row[0]), cpuMilli: Int(row[1]) ?? 0, memoryMiB: Int(row[2]) ?? 0,
                devices: count == 0
                    ? .none : DeviceDemand(count: count, compute: .milli(Int(row[4]) ?? 0), models: models))
            return Pod(request: request, creation: Int(row[8]) ?? 0, deletion: Int(row[9]) ?? 0)
        }
        self.pods.sort { $0.request.id < $1.request.id }
    }

    /// Compute of all devices, in thousandths of a device.
    public var capacityMilli: Int { hosts.reduce(0) { $0 + $1.capacity.computeMilli } }

    private static func rows(_ text: String) -> [[Substring]] {
        text.split(whereSeparator: \.isNewline).dropFirst().map {
            $0.split(separator: ",", omittingEmptySubsequences: false)
        }
    }
}
