/// A command line that makes no sense.
struct UsageError: Error, CustomStringConvertible {
    let description: String
}

/// What `conformance` was asked to do.
struct RunOptions {
    var driver: String?
    var filters: [String] = []
    var output: String?
    var isList = false
    var isHelp = false
    var isJSONOnStandardOutput = false
    var measures = true
    var isQuick = false
    var isQuiet = false
    var secondCountMax: Int?

    init(_ words: some Sequence<String>) throws {
        var rest = Array(words)[...]
        while let word = rest.popFirst() {
            func value() throws -> String {
                guard let value = rest.popFirst() else { throw UsageError(description: "\(word) needs a value") }
                return value
            }
            switch word {
            case "run": break
            case "--driver": driver = try value()
            case "--filter": filters += try value().split(separator: ",").map(String.init)
            case "-o", "--output": try setOutput(value())
            case "--list": isList = true
            case "--quick": isQuick = true
            case "-q", "--quiet": isQuiet = true
            case "--no-measure": measures = false
            case "--measure-only": filters.append("measure.")
            case "--timeout":
                guard let seconds = Int(try value()), seconds > 0 else {
                    throw UsageError(description: "--timeout needs a number of seconds")
                }
                secondCountMax = seconds
            case "-h", "--help": isHelp = true
            default: throw UsageError(description: "unknown argument \(word); `conformance --help` lists them")
            }
        }
    }

    private mutating func setOutput(_ text: String) throws {
        switch text {
        case "table": break
        case "json": isJSONOnStandardOutput = true
        case _ where text.hasSuffix(".json"): output = text
        default: throw UsageError(description: "-o takes table, json, or the name of a file that ends with .json")
        }
    }

    /// Whether a case was asked for: any filter is a part of its name.
    func includes(_ name: String) -> Bool {
        filters.isEmpty || filters.contains { Self.matches(name, $0) }
    }

    private static func matches(_ name: String, _ part: String) -> Bool {
        let name = Array(name.utf8)
        let part = Array(part.utf8)
        guard part.count <= name.count else { return false }
        return (0...name.count - part.count).contains { name[$0..<$0 + part.count].elementsEqual(part) }
    }

    static let help = """
        conformance: one suite of self-checking cases for every CUDA driver

        USAGE
          conformance [options]                     run the cases on device 0
          conformance compare <native> <other>      compare two results, as a table

        OPTIONS
          --driver <path>       the libcuda.so.1 to open; default: the one that the dynamic linker finds
          --filter <text>       only cases with this in their name; several with commas between or by repeating
          --list                names of all cases, and what they check
          -o, --output <where>  `json`: results on the standard output, or the name of a .json file for them
          --no-measure          without the times of calls and the rates of copies
          --measure-only        only those
          --quick               measure for a shorter time
          --timeout <seconds>   the most that any case may take; default: 20, some cases 60
          -q, --quiet           only cases that failed, and the totals
          -h, --help            this text

        EXAMPLES
          conformance -o native.json                                     a machine's own driver
          roost run -- conformance -o roost.json                         the same through Roost
          conformance compare native.json roost.json                     same results? how much slower?
          conformance --filter graph,memory. --no-measure                two families
          LD_LIBRARY_PATH=$HOME/roost/lib conformance --list             nothing is run

        Cases run in child processes: one that crashes or hangs fails alone. `unsupported` is what the driver or the
        device says that it does not have; it is shown and never counts as passed.

        EXIT STATUS
          0 no case failed   1 a case failed, or the results differ   2 the command line makes no sense, or no driver
        """
}
