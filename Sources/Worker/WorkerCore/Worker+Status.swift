import GPUBackend
import Synchronization
public import WireProtocol

extension Worker {
    /// All that a client answers about the vGPU without asking again.
    public func snapshot() -> DeviceSnapshot {
        var snapshot = DeviceSnapshot()
        guard let device = backend.devices.first else { return snapshot }
        snapshot.name = Array(device.name.utf8.prefix(255))
        snapshot.uuidHigh = device.uuidHigh
        snapshot.uuidLow = device.uuidLow
        snapshot.totalByteCount = configuration.vramByteCount
        snapshot.computePercent = configuration.computePercent
        snapshot.isSoftware = device.isSoftware
        snapshot.attributes = device.attributes
        return snapshot
    }

    /// Commands, up to now, that a client waited for.
    public var waitingCallCount: UInt64 { waitingCount.load(ordering: .relaxed) }

    /// The vGPU as it is now.
    public func status() -> VGPUStatus {
        let sessions = withRegistry { Array($0.sessions.values) }
        utilization.sample(live: sessions)
        var status = VGPUStatus()
        status.device = snapshot()
        status.utilizationPercent = utilization.percent
        status.commandCount = commandCount.load(ordering: .relaxed)
        status.launchCount = launchCount.load(ordering: .relaxed)
        status.peerByteCount = sessions.reduce(pastPeerByteCount.load(ordering: .relaxed)) {
            $0 &+ $1.peers.sentByteCount.load(ordering: .relaxed)
        }
        status.relayedByteCount = relayedByteCount.load(ordering: .relaxed)
        // As with CUDA, a program is on a device from its first context there.
        let users = sessions.filter { session in session.withTables { !$0.devices.isEmpty } }
        let sorted = users.sorted { ($0.processID, $0.serial) < ($1.processID, $1.serial) }
        withLedger { ledger in
            status.usedByteCount = ledger.used
            status.processes = sorted.map { session in
                VGPUStatus.Process(
                    processID: session.processID, usedByteCount: ledger.account(of: session.serial).used,
                    name: session.processName)
            }
        }
        return status
    }
}
