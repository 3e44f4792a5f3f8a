/// The result codes that the runtime itself gives, numbered as the worker numbers them.
public enum ClientStatus {
    public static let success: Int32 = 0
    public static let invalidValue: Int32 = 1
    public static let outOfMemory: Int32 = 2
    public static let notInitialized: Int32 = 3
    public static let deinitialized: Int32 = 4
    /// The worker is gone or can't be reached; final for the process.
    public static let deviceUnavailable: Int32 = 46
    public static let noDevice: Int32 = 100
    public static let invalidContext: Int32 = 201
    public static let contextIsDestroyed: Int32 = 709

    /// Whether an error stays on its context: after it, the context executes nothing any more.
    public static func isFatal(_ status: Int32) -> Bool {
        switch status {
        case 214, 220, 700, 702, 710, 714...719, 721, 915: true
        default: false
        }
    }
}
