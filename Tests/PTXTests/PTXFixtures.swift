import Foundation

@testable import PTX

/// PTX texts for tests: the corpus of compiled kernels, and small modules around a few lines.
enum PTXFixtures {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Fixtures/ptx")

    /// The names of all files of the corpus, sorted.
    static let names: [String] = {
        let all = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return all.filter { $0.hasSuffix(".ptx") }.sorted()
    }()

    static func text(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: folder.appendingPathComponent(name)))
    }

    static func module(_ items: String) throws(PTXError) -> PTXModule {
        try PTXModule(parsing: Array(".version 8.5\n.target sm_80\n.address_size 64\n\(items)".utf8))
    }

    /// Declarations that the lines of ``body(_:)`` may use; registers in this order from index 0.
    static let declarations = """
        .reg .pred %p<4>; .reg .b32 %r<4>; .reg .b64 %rd<4>; .reg .f32 %f<4>; .reg .v4 .f32 %v; .reg .u32 plain;
        .param .b64 slot;
        """
    static let (p, r, rd, f, v, plain) = (0, 4, 8, 12, 16, 17)

    static func body(_ lines: String) throws(PTXError) -> PTXBody {
        let module = try module(
            """
            .global .align 4 .b8 table[64];
            .extern .func (.param .b32 result) callee (.param .b64 a, .param .b64 b);
            .visible .entry kernel(.param .u64 kernel_param_0, .param .u32 kernel_param_1)
            {
            \(declarations)
            \(lines)
            }
            """)
        guard let kernel = module.function(named: "kernel") else {
            throw PTXError(.name, at: PTXPosition(line: 0, column: 0), "the fixture has no kernel")
        }
        return try module.body(of: kernel)
    }

    /// The only instruction of `line`.
    static func instruction(_ line: String) throws(PTXError) -> PTXInstruction {
        let instructions = try body(line).instructions
        guard instructions.count == 1 else {
            throw PTXError(.syntax, at: PTXPosition(line: 0, column: 0), "the fixture has not one instruction")
        }
        return instructions[0]
    }

    /// The error that `work` ends with, or nil.
    static func error(_ work: () throws(PTXError) -> Void) -> PTXError? {
        do throws(PTXError) {
            try work()
            return nil
        } catch {
            return error
        }
    }
}

extension PTXBody {
    var instructions: [PTXInstruction] {
        statements.compactMap { if case .instruction(let instruction) = $0 { instruction } else { nil } }
    }

    var labels: [String] {
        statements.compactMap { if case .label(let name) = $0 { name } else { nil } }
    }
}
