internal import CPosix
internal import CUDABinding
internal import Glibc

/// Runs the cases and tells what came out.
struct RunCommand {
    private let options: RunOptions

    init(_ words: some Sequence<String>) throws {
        options = try RunOptions(words)
    }

    /// The process's exit status.
    func run() throws -> Int32 {
        if options.isHelp {
            Output.line(RunOptions.help)
            return 0
        }
        let cases = Suite.cases.filter { options.includes($0.name) && (options.measures || $0.family != "measure") }
        if options.isList {
            for element in cases { Output.line(element.name.padded(36) + element.summary) }
            return 0
        }
        guard !cases.isEmpty else { throw UsageError(description: "no case has that in its name; --list shows them") }
        let driver = try options.driver ?? Driver.pathOfSystem()
        var report = Report(driver: driver)
        var runner = CaseRunner(driver: driver, options: options)
        try runner.run(cases, into: &report) { result in
            if !options.isQuiet || result.status.isFailure { show(Report.line(result)) }
        }
        for figure in report.figures where !options.isQuiet {
            show(figure.name.padded(44) + shortText(figure.value).padded(10, left: true) + " \(figure.unit)")
        }
        show(report.totalsText)
        try write(report)
        return report.count(isFailure: true) == 0 ? 0 : 1
    }

    /// JSON on the standard output leaves no place there for people's lines.
    private func show(_ text: String) {
        if options.isJSONOnStandardOutput { Output.complain(text) } else { Output.line(text) }
    }

    private func write(_ report: Report) throws {
        if options.isJSONOnStandardOutput { Output.write(report.json, to: 1) }
        guard let path = options.output else { return }
        guard Output.write(report.json, toFile: path) else {
            throw UsageError(description: "cannot write \(path): error \(errno)")
        }
    }
}

/// Finding the driver that is meant when none is named.
enum Driver {
    /// The file behind the name that every CUDA program loads.
    static func pathOfSystem() throws -> String {
        guard let handle = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL) else {
            let reason = dlerror().map { String(cString: $0) } ?? "unknown error"
            throw UsageError(description: "no CUDA driver found (\(reason)); give one with --driver")
        }
        var path = [CChar](repeating: 0, count: 4096)
        guard let symbol = dlsym(handle, "cuInit"), posix_library_path(symbol, &path, path.count) else {
            throw UsageError(description: "libcuda.so.1 has no cuInit; give another with --driver")
        }
        return String(decoding: path.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Opens a driver.
    static func open(_ path: String) throws -> CUDALibrary {
        do {
            return try CUDALibrary(path: path.utf8.contains(UInt8(ascii: "/")) ? path : "./" + path)
        } catch {
            throw UsageError(description: error.message)
        }
    }
}
