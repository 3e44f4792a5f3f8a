/// Why a backend could not do something.
public struct BackendError: Error, Sendable, Equatable {
    /// A `CUresult`; never 0.
    public var status: Int32
    /// What happened and where, as a sentence; empty if the status says it all.
    public var message: String

    public init(_ status: Int32, _ message: String = "") {
        self.status = status
        self.message = message
    }

    /// Whether the context is lost: every later call on it fails with the same status.
    public var isContextFatal: Bool {
        switch status {
        case 700, 702, 709, 710, 714...719, 721: true
        default: false
        }
    }
}

/// The values of `CUresult` that backends and the worker use.
public enum BackendStatus {
    public static let invalidValue: Int32 = 1
    public static let outOfMemory: Int32 = 2
    public static let deinitialized: Int32 = 4
    public static let deviceUnavailable: Int32 = 46
    public static let invalidDevice: Int32 = 101
    public static let invalidImage: Int32 = 200
    public static let invalidContext: Int32 = 201
    public static let noBinaryForGPU: Int32 = 209
    public static let invalidPTX: Int32 = 218
    public static let invalidHandle: Int32 = 400
    public static let notFound: Int32 = 500
    public static let notReady: Int32 = 600
    public static let illegalAddress: Int32 = 700
    public static let launchOutOfResources: Int32 = 701
    public static let launchTimeout: Int32 = 702
    public static let contextIsDestroyed: Int32 = 709
    public static let assertion: Int32 = 710
    public static let illegalInstruction: Int32 = 715
    public static let misalignedAddress: Int32 = 716
    public static let launchFailed: Int32 = 719
    public static let cooperativeLaunchTooLarge: Int32 = 720
    public static let notSupported: Int32 = 801
    public static let unknown: Int32 = 999
}
