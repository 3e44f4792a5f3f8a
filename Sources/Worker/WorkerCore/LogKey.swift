/// The keys of the worker's log metadata.
enum LogKey {
    static let session = "session"
    static let lane = "lane"
    static let peer = "peer"
    static let process = "process"
    static let processName = "process.name"
    static let reason = "reason"
    static let command = "command"
    static let endpoint = "endpoint"
}
