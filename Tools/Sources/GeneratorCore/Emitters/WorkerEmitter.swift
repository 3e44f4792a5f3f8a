import APIModel

/// Writes the worker's protocol of handlers, the dispatcher, and the handler that only records.
struct WorkerEmitter {
    let commands: [WireCommand]

    var files: [GeneratedFile] {
        [
            GeneratedFile(path: "Sources/Worker/WorkerCore/Generated/CommandHandler.swift", text: handler),
            GeneratedFile(path: "Sources/Worker/WorkerCore/Generated/CommandDispatch.swift", text: dispatch),
            GeneratedFile(path: "Sources/Testing/GPUTestKit/Generated/RecordingHandler.swift", text: recording),
        ]
    }

    private var banner: String { Banner.swift("wire.json and API/cuda.json") }

    private func signature(_ command: WireCommand, access: String, tail: String) -> String {
        var parameters = ["_ command: \(command.typeName)"]
        if command.description.call == .sync { parameters.append("_ reply: inout \(command.typeName).Reply") }
        if command.isBulk { parameters.append("_ bulk: BulkSource") }
        if command.hasBulkReply { parameters.append("_ sink: BulkSink") }
        return Wrapping.list(
            "\(access)func \(command.name.swiftIdentifier)(", parameters, ") throws(CommandError)\(tail)",
            indent: "    ")
    }

    private var handler: String {
        var text = banner + "public import WireProtocol\n\n"
        text += "/// Performs the commands of one lane, on the lane's thread.\n"
        text += "public protocol CommandHandler: AnyObject {\n"
        for command in commands {
            text += "    /// \(command.description.doc)\n" + signature(command, access: "", tail: "")
        }
        return text + "}\n"
    }

    private var dispatch: String {
        var text = banner + "import WireProtocol\n\n/// Finds the handler's method for a command.\n"
        text += "public enum CommandDispatch {\n    /// Decodes one command, calls its method and encodes the answer.\n"
        text += "    /// Throws only what the wire does not allow.\n"
        text += "    public static func dispatch<Handler: CommandHandler>(\n"
        text += "        id: UInt16, payload: UnsafeRawBufferPointer, to handler: Handler, context: DispatchContext\n"
        text += "    ) throws(DispatchError) {\n        switch id {\n"
        for command in commands { text += branch(command) }
        return text + "        default:\n            throw context.unknownCommand\n        }\n    }\n}\n"
    }

    private func branch(_ command: WireCommand) -> String {
        let isSync = command.description.call == .sync
        var arguments = ["command"]
        if isSync { arguments.append("&reply") }
        if command.isBulk { arguments.append("bulk") }
        if command.hasBulkReply { arguments.append("context.sink") }
        var text = "        case \(command.typeName).id:\n"
        text += "            let command = try context.decode(\(command.typeName).self, from: payload)\n"
        if command.isBulk { text += "            let bulk = try context.bulk(command.bulkByteCount)\n" }
        if isSync {
            text += "            var reply = \(command.typeName).Reply()\n"
        }
        text += "            do throws(CommandError) {\n"
        text += "                try handler.\(command.name.swiftIdentifier)(\(arguments.joined(separator: ", ")))\n"
        text += "            } catch {\n                context.fail(error)\n            }\n"
        if isSync { text += "            context.finish(reply)\n" }
        return text
    }

    private var recording: String {
        var text = banner + "public import WireProtocol\npublic import WorkerCore\n"
        text += """

            /// A command that a recording handler saw.
            public struct RecordedCommand: Equatable, Sendable {
                /// The command's number.
                public var id: UInt16
                /// The fixed-size fields in order, widened to 64 bits.
                public var fields: [UInt64]
                /// The `bytes` field; empty without one.
                public var bytes: [UInt8]
                /// The bytes after the command's frame.
                public var bulk: [UInt8]

                /// Creates a record.
                public init(id: UInt16, fields: [UInt64] = [], bytes: [UInt8] = [], bulk: [UInt8] = []) {
                    self.id = id
                    self.fields = fields
                    self.bytes = bytes
                    self.bulk = bulk
                }
            }

            /// A handler that performs nothing: it records each command and answers what a test tells it to.
            public final class RecordingHandler: CommandHandler {
                /// The commands in the order of their arrival.
                public private(set) var commands: [RecordedCommand] = []
                /// The failure to answer a command with, by its number.
                public var failures: [UInt16: CommandError] = [:]

            """
        for command in commands where command.hasBulkReply || !command.description.outputs.isEmpty {
            text += "    /// Fills the answer of ``\(command.typeName)``.\n    public var \(hook(command))\n"
        }
        text += """

                /// Creates a handler without records.
                public init() {}

                /// Forgets all records.
                public func removeAll() { commands.removeAll() }

                private func record(
                    _ id: UInt16, _ fields: [UInt64], bytes: UnsafeRawBufferPointer? = nil, bulk: [UInt8] = []
                ) throws(CommandError) {
                    let contents = bytes.map { [UInt8]($0) } ?? []
                    commands.append(RecordedCommand(id: id, fields: fields, bytes: contents, bulk: bulk))
                    if let failure = failures[id] { throw failure }
                }

                private func contents(_ source: BulkSource, _ byteCount: UInt64) throws(CommandError) -> [UInt8] {
                    guard byteCount <= 64 << 20 else { throw CommandError(1, "too much for a recording") }
                    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: Int(byteCount), alignment: 8)
                    defer { buffer.deallocate() }
                    try source.read(into: buffer)
                    return [UInt8](buffer)
                }

            """
        for command in commands { text += "\n" + method(command) }
        return text + "}\n"
    }

    private func hook(_ command: WireCommand) -> String {
        var parameters = [command.typeName]
        if !command.description.outputs.isEmpty { parameters.append("inout \(command.typeName).Reply") }
        if command.hasBulkReply { parameters.append("BulkSink") }
        return "answer\(command.typeName): ((\(parameters.joined(separator: ", "))) -> Void)?"
    }

    private func method(_ command: WireCommand) -> String {
        let fields = command.description.fields
        var text = signature(command, access: "public ", tail: " {")
        let values = fields.filter { $0.type != .bytes }.map { widened("command.\($0.name)", $0.type) }
        var arguments = ["\(command.typeName).id", "[\(values.joined(separator: ", "))]"]
        if let bytes = fields.last, bytes.type == .bytes { arguments.append("bytes: command.\(bytes.name)") }
        if command.isBulk { arguments.append("bulk: try contents(bulk, command.bulkByteCount)") }
        let line = "        try record(\(arguments.joined(separator: ", ")))\n"
        if line.count <= 121 {
            text += line
        } else {
            text += "        let fields: [UInt64] = [\n"
            text += Wrapping.wrapped(values, indent: "            ") + ",\n        ]\n"
            arguments[1] = "fields"
            text += "        try record(\(arguments.joined(separator: ", ")))\n"
        }
        if command.hasBulkReply || !command.description.outputs.isEmpty {
            var answer = ["command"]
            if !command.description.outputs.isEmpty { answer.append("&reply") }
            if command.hasBulkReply { answer.append("sink") }
            text += "        answer\(command.typeName)?(\(answer.joined(separator: ", ")))\n"
        }
        return text + "    }\n"
    }

    private func widened(_ name: String, _ type: WireType) -> String {
        switch type {
        case .u64: name
        case .f32: "UInt64(\(name).bitPattern)"
        case .f64: "\(name).bitPattern"
        default: "UInt64(truncatingIfNeeded: \(name))"
        }
    }
}
