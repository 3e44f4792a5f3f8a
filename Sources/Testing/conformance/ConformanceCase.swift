internal import CCUDA
internal import CUDABinding

/// One small check of a driver: it puts values in, takes values out and compares.
struct ConformanceCase: Sendable {
    /// Family and subject: "memory.copy-2d".
    let name: String
    /// What is checked, for `--list`.
    let summary: String
    /// Whether the case leaves a process that no other case can use: a sticky error, a lost context.
    let spoilsProcess: Bool
    /// How long it may take.
    let secondCountMax: Int
    let body: @Sendable (Trial) throws -> Void

    init(
        _ name: String, _ summary: String, spoilsProcess: Bool = false, secondCountMax: Int = 20,
        _ body: @escaping @Sendable (Trial) throws -> Void
    ) {
        self.name = name
        self.summary = summary
        self.spoilsProcess = spoilsProcess
        self.secondCountMax = secondCountMax
        self.body = body
    }

    /// The part of the name before the first dot.
    var family: Substring { name.prefix { $0 != "." } }
}

/// How a case ended.
enum CaseStatus: String, CaseIterable {
    case passed
    /// The driver, or the device, says that it does not have this.
    case unsupported
    case failed
    case crashed
    case timeout

    /// Whether something is wrong.
    var isFailure: Bool { self != .passed && self != .unsupported }
}

/// Why a case stopped before its end.
enum CaseFailure: Error {
    case unsupported(String)
    case failed(String)
}

/// What is known of a case that was run.
struct CaseResult {
    var name: String
    var status: CaseStatus
    /// A hash of everything that the case recorded; the same on every conforming driver.
    var digest: UInt64
    var microsecondCount: UInt64
    var message: String
}

// MARK: - Checks

/// Where in the sources a check stands: "Graphs.swift:17".
private func place(_ file: StaticString, _ line: UInt) -> String {
    let path = "\(file)"
    return "\(path.split(separator: "/").last ?? "")" + ":\(line)"
}

/// Goes on if the call fails with one of these errors.
func expect(
    _ wanted: CUresult..., file: StaticString = #fileID, line: UInt = #line, _ body: () throws -> Void
) throws {
    let names = wanted.map(errorName).joined(separator: " or ")
    do {
        try body()
    } catch let failure as CUDAFailure {
        if wanted.contains(failure.status) { return }
        if failure.status == CUDA_ERROR_NOT_SUPPORTED { throw failure }
        let text = "\(failure.function): \(errorName(failure.status)) instead of \(names)"
        throw CaseFailure.failed("\(place(file, line)): \(text)")
    }
    throw CaseFailure.failed("\(place(file, line)): success instead of \(names)")
}

/// Goes on if the call succeeds or fails with this error: drivers differ.
func tolerating(_ status: CUresult, _ body: () throws -> Void) throws {
    do { try body() } catch let failure as CUDAFailure where failure.status == status {}
}

/// Goes on if the condition holds.
func require(
    _ condition: Bool, _ what: @autoclosure () -> String = "not true", file: StaticString = #fileID,
    line: UInt = #line
) throws {
    if !condition { throw CaseFailure.failed("\(place(file, line)): \(what())") }
}

/// Goes on if both values are the same.
func requireEqual<Value: Equatable>(
    _ value: Value, _ wanted: Value, file: StaticString = #fileID, line: UInt = #line
) throws {
    if value != wanted { throw CaseFailure.failed("\(place(file, line)): \(value) instead of \(wanted)") }
}

/// Goes on if both arrays are the same; says where they first differ.
func requireEqual<Element: Equatable>(
    _ values: [Element], _ wanted: [Element], file: StaticString = #fileID, line: UInt = #line
) throws {
    try require(values.count == wanted.count, "\(values.count) values", file: file, line: line)
    for index in values.indices where values[index] != wanted[index] {
        let text = "\(place(file, line)): [\(index)] is \(values[index]) instead of \(wanted[index])"
        throw CaseFailure.failed(text)
    }
}

/// The value, or the end of the case if there is none.
func some<Value>(_ value: Value?, file: StaticString = #fileID, line: UInt = #line) throws -> Value {
    guard let value else { throw CaseFailure.failed("\(place(file, line)): a null handle") }
    return value
}

/// The names of the errors that cases meet; a number for others.
func errorName(_ status: CUresult) -> String {
    errorNames.first { $0.0 == status }?.1 ?? "CUresult \(status.rawValue)"
}

private let errorNames: [(CUresult, String)] = [
    (CUDA_SUCCESS, "CUDA_SUCCESS"), (CUDA_ERROR_INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE"),
    (CUDA_ERROR_OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY"),
    (CUDA_ERROR_NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED"), (CUDA_ERROR_NO_DEVICE, "CUDA_ERROR_NO_DEVICE"),
    (CUDA_ERROR_INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE"), (CUDA_ERROR_INVALID_IMAGE, "CUDA_ERROR_INVALID_IMAGE"),
    (CUDA_ERROR_INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT"), (CUDA_ERROR_INVALID_PTX, "CUDA_ERROR_INVALID_PTX"),
    (CUDA_ERROR_INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE"), (CUDA_ERROR_NOT_FOUND, "CUDA_ERROR_NOT_FOUND"),
    (CUDA_ERROR_NOT_READY, "CUDA_ERROR_NOT_READY"), (CUDA_ERROR_ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS"),
    (CUDA_ERROR_LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED"),
    (CUDA_ERROR_ILLEGAL_INSTRUCTION, "CUDA_ERROR_ILLEGAL_INSTRUCTION"),
    (CUDA_ERROR_MISALIGNED_ADDRESS, "CUDA_ERROR_MISALIGNED_ADDRESS"),
    (CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE, "CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE"),
    (CUDA_ERROR_NOT_PERMITTED, "CUDA_ERROR_NOT_PERMITTED"), (CUDA_ERROR_NOT_SUPPORTED, "CUDA_ERROR_NOT_SUPPORTED"),
    (CUDA_ERROR_NO_BINARY_FOR_GPU, "CUDA_ERROR_NO_BINARY_FOR_GPU"),
    (CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "CUDA_ERROR_STREAM_CAPTURE_INVALIDATED"),
    (CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED"),
    (CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE, "CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE"),
    (CUDA_ERROR_UNKNOWN, "CUDA_ERROR_UNKNOWN"),
]
