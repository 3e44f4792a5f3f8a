import CPosix
public import GPUBackend
import Logging
import Primitives
import SoftwareBackend
public import Transport
public import WireProtocol
public import WorkerCore

/// A worker in the test's own process, with a software GPU.
public final class WorkerFixture: Sendable {
    /// The worker; it serves until the fixture goes away.
    public let worker: Worker

    /// Starts a worker with `vramByteCount` bytes on `backend`, or on a software GPU with one thread. With
    /// `ROOST_TEST_BACKEND=nested` in the environment, ``NestedDriver`` stands in for the software GPU.
    public init(
        vramByteCount: UInt64 = 64 << 20, backend: (any GPUBackend)? = nil,
        configure: (inout WorkerConfiguration) -> Void = { _ in }
    ) {
        var configuration = WorkerConfiguration(descriptionHash: DescriptionHash.value)
        configuration.vramByteCount = vramByteCount
        configure(&configuration)
        worker = Worker(
            configuration: configuration, backend: backend ?? WorkerFixture.defaultBackend(vramByteCount),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        precondition(worker.start(), "the system has no thread for a test")
    }

    private static func defaultBackend(_ vramByteCount: UInt64) -> any GPUBackend {
        if NestedDriver.isDefault, let nested = try? NestedDriver.backend() { return nested }
        precondition(!NestedDriver.isDefault, "the library beside the tests is no driver")
        var options = SoftwareOptions()
        options.totalByteCount = vramByteCount
        return SoftwareBackend(options: options)
    }

    deinit {
        _ = worker.stop()
    }

    /// A Unix-domain socket of this worker alone, for clients that connect by themselves.
    public func listen() throws -> Endpoint {
        let path = "/tmp/roost-test-\(posix_process_id())-\(WorkerFixture.newSession().high)"
        return try worker.listen(.unix(path: Array(path.utf8)))
    }

    /// The test's end of a new connection, before any greeting.
    public func connect() throws -> Connection {
        let (own, workers) = try Connection.pair()
        worker.serve(workers)
        return own
    }

    /// A lane of a session, greeted.
    public func lane(session: SessionID = WorkerFixture.newSession(), index: UInt32 = 0) throws -> TestLane {
        let lane = TestLane(connection: try connect(), session: session, fixture: self)
        try lane.greet(role: .lane, index: index)
        return lane
    }

    /// A lane with the session's context 1 as its current one; lane 0 makes it, so that lane must be the first.
    public func laneWithContext(session: SessionID = WorkerFixture.newSession(), index: UInt32 = 0) throws -> TestLane {
        let lane = try lane(session: session, index: index)
        if index == 0 { try lane.send(ContextCreate(context: 1, device: 0, flags: 0)) }
        try lane.send(ContextSetCurrent(context: 1))
        // A test that waits for what never comes would hang, so a host without room for an arena ends it here.
        let status = try lane.call(Ping()).deferredStatus
        guard status == 0 else { throw TestLaneError(reason: "no context: \(status)") }
        return lane
    }

    /// A connection for status queries, greeted.
    public func monitor() throws -> TestLane {
        let lane = TestLane(connection: try connect(), session: SessionID(high: 0, low: 0), fixture: self)
        try lane.greet(role: .monitor)
        return lane
    }

    /// A session id that no other one in this process has.
    public static func newSession() -> SessionID {
        var generator = SystemRandomNumberGenerator()
        return SessionID(high: generator.next(), low: generator.next())
    }
}
