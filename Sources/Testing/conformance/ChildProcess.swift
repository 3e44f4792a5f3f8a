internal import CCUDA
internal import CPosix
internal import CUDABinding
internal import Glibc

/// The process that cases run in.
enum ChildProcess {
    /// Runs the named cases until one fails. Arguments: driver, pace, names.
    static func serve(_ words: ArraySlice<String>) -> Int32 {
        // Nothing is left behind when the parent is killed.
        _ = posix_die_with_parent(SIGKILL)
        // Crashes are counted, not kept.
        var none = rlimit(rlim_cur: 0, rlim_max: 0)
        setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &none)
        guard words.count >= 2 else { return 2 }
        let names = Set(words.dropFirst(2))
        Pace.isQuick = words.dropFirst().first == "quick"
        do {
            let cuda = try Driver.open(words[words.startIndex])
            DeviceFacts.send(cuda)
            for element in Suite.cases where names.contains(element.name) {
                let result = run(element, cuda)
                ChildMessage.send(result)
                if result.status.isFailure { return 1 }
            }
            return 0
        } catch {
            Output.complain("conformance: \(error)")
            return 2
        }
    }

    private static func run(_ element: ConformanceCase, _ cuda: CUDALibrary) -> CaseResult {
        let start = monotonicMicroseconds()
        var result = CaseResult(name: element.name, status: .passed, digest: 0, microsecondCount: 0, message: "")
        do {
            let trial = try Trial(cuda)
            try element.body(trial)
            result.digest = trial.digestValue
            if !element.spoilsProcess { try trial.finish() }
        } catch let failure as CUDAFailure {
            let isMissing = failure.status == CUDA_ERROR_NOT_FOUND && Driver.lacks(failure.function, cuda)
            result.status = failure.status == CUDA_ERROR_NOT_SUPPORTED || isMissing ? .unsupported : .failed
            result.message =
                isMissing
                ? "the driver lacks \(failure.function)" : "\(failure.function): \(errorName(failure.status))"
        } catch CaseFailure.unsupported(let message) {
            result.status = .unsupported
            result.message = message
        } catch CaseFailure.failed(let message) {
            result.status = .failed
            result.message = message
        } catch {
            result.status = .failed
            result.message = "\(error)"
        }
        result.microsecondCount = monotonicMicroseconds() - start
        return result
    }
}

extension Driver {
    /// Whether the driver has no function of this name at all.
    static func lacks(_ function: StaticString, _ cuda: CUDALibrary) -> Bool {
        guard let handle = dlopen(cuda.path, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD) else { return true }
        defer { dlclose(handle) }
        return dlsym(handle, "\(function)") == nil
    }
}

/// The lines between child and parent: a word, and fields with tabs between.
enum ChildMessage {
    static func send(_ result: CaseResult) {
        let message = result.message.map { $0 == "\t" || $0 == "\n" ? " " : $0 }
        send([
            "end", result.name, result.status.rawValue, "\(result.digest)", "\(result.microsecondCount)",
            String(message),
        ])
    }

    static func send(_ figure: Figure) {
        send(["figure", figure.name, "\(figure.value)", figure.unit])
    }

    static func send(fact name: String, _ value: String) {
        send(["fact", name, value])
    }

    private static func send(_ fields: [String]) {
        Output.write(fields.joined(separator: "\t") + "\n", to: Subprocess.lineDescriptor)
    }

    /// The result that a line tells, if it tells this case's.
    static func result(_ line: String, of name: String) -> CaseResult? {
        let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        guard fields.count == 6, fields[0] == "end", fields[1] == name, let status = CaseStatus(rawValue: fields[2]),
            let digest = UInt64(fields[3]), let microsecondCount = UInt64(fields[4])
        else { return nil }
        return CaseResult(
            name: name, status: status, digest: digest, microsecondCount: microsecondCount, message: fields[5])
    }

    /// Keeps what another line tells.
    static func apply(_ line: String, to report: inout Report) {
        let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        switch (fields.first, fields.count) {
        case ("figure", 4):
            if let value = Double(fields[2]) {
                report.figures.append(Figure(name: fields[1], value: value, unit: fields[3]))
            }
        case ("fact", 3):
            if !report.facts.contains(where: { $0.name == fields[1] }) {
                report.facts.append((name: fields[1], value: fields[2]))
            }
        default: break
        }
    }
}
