import APIModel
import Foundation
import Testing

@testable import GeneratorCore

/// Compiles the generated table against empty functions and asks it questions.
struct ProcTableTests {
    private struct Question {
        let name: String
        let version: Int
        let flags: Int
        let answer: String

        init(_ name: String, _ version: Int, _ answer: String, flags: Int = 0) {
            self.name = name
            self.version = version
            self.flags = flags
            self.answer = answer
        }
    }

    private static let questions: [Question] = [
        Question("cuMemcpyHtoD", 12000, "cuMemcpyHtoD_v2"), Question("cuMemcpyHtoD", 3010, "cuMemcpyHtoD"),
        Question("cuMemcpyHtoD", 12000, "cuMemcpyHtoD_v2_ptds", flags: 2),
        Question("cuMemcpyHtoD", 6050, "cuMemcpyHtoD_v2", flags: 2),
        Question("cuMemAlloc", 3020, "cuMemAlloc_v2"), Question("cuMemAlloc", 12000, "cuMemAlloc_v2", flags: 2),
        Question("cuCtxDestroy", 3020, "cuCtxDestroy"), Question("cuCtxDestroy", 4000, "cuCtxDestroy_v2"),
        Question("cuCtxPopCurrent", 4000, "cuCtxPopCurrent_v2"),
        Question("cuCtxPushCurrent", 4000, "cuCtxPushCurrent_v2"),
        Question("cuStreamBeginCapture", 10000, "cuStreamBeginCapture"),
        Question("cuStreamBeginCapture", 10010, "cuStreamBeginCapture_v2"),
        Question("cuStreamGetCaptureInfo", 10010, "cuStreamGetCaptureInfo"),
        Question("cuStreamGetCaptureInfo", 11030, "cuStreamGetCaptureInfo_v2"),
        Question("cuStreamGetCaptureInfo", 12030, "cuStreamGetCaptureInfo_v3"),
        Question("cuStreamGetCaptureInfo", 12030, "cuStreamGetCaptureInfo_v3_ptsz", flags: 2),
        Question("cuStreamWaitValue32", 8000, "cuStreamWaitValue32"),
        Question("cuStreamWaitValue32", 11070, "cuStreamWaitValue32_v2"),
        Question("cuMemAllocAsync", 11010, "2"), Question("cuMemAllocAsync", 11020, "cuMemAllocAsync"),
        Question("cuLaunchKernelEx", 11050, "2"), Question("cuLaunchKernelEx", 11060, "cuLaunchKernelEx"),
        Question("cuGraphInstantiateWithParams", 12000, "cuGraphInstantiateWithParams"),
        Question("cuGraphInstantiate", 11000, "cuGraphInstantiate_v2"),
        Question("cuGraphInstantiate", 12000, "cuGraphInstantiateWithFlags"),
        Question("cuLibraryLoadData", 11080, "2"), Question("cuLibraryLoadData", 12000, "cuLibraryLoadData"),
        Question("cuKernelGetFunction", 12000, "cuKernelGetFunction"),
        Question("cuMemPrefetchAsync", 8000, "cuMemPrefetchAsync"),
        Question("cuMemPrefetchAsync", 12020, "cuMemPrefetchAsync_v2"),
        Question("cuFuncGetParamInfo", 12040, "cuFuncGetParamInfo"), Question("cuFuncGetParamInfo", 12030, "2"),
        Question("cuGreenCtxCreate", 12040, "cuGreenCtxCreate"), Question("cuGreenCtxCreate", 12030, "2"),
        Question("cuStreamGetCtx", 9020, "cuStreamGetCtx"), Question("cuStreamGetCtx", 12050, "cuStreamGetCtx_v2"),
        Question("cuMemBatchDecompressAsync", 12060, "cuMemBatchDecompressAsync"),
        Question("cuCheckpointProcessLock", 12080, "cuCheckpointProcessLock"),
        Question("cuMemcpyBatchAsync", 12080, "cuMemcpyBatchAsync"),
        Question("cuMemcpyBatchAsync", 13000, "cuMemcpyBatchAsync_v2"),
        Question("cuLogsCurrent", 12080, "cuLogsCurrent"),
        Question("cuCtxGetDevice", 12090, "cuCtxGetDevice"), Question("cuCtxGetDevice", 13000, "cuCtxGetDevice_v2"),
        Question("cuGetProcAddress", 11030, "cuGetProcAddress"),
        Question("cuGetProcAddress", 12000, "cuGetProcAddress_v2"),
        Question("cuLaunchKernel", 12000, "cuLaunchKernel_ptsz", flags: 2),
        Question("cuLaunchKernel", 12000, "cuLaunchKernel", flags: 1),
        Question("cuInit", 2000, "cuInit"), Question("cuInit", 1000, "2"),
        Question("cuMemAlloc_v2", 12000, "1"), Question("cuNothing", 12000, "1"), Question("", 0, "1"),
        Question("zz", 12000, "1"), Question("cuWaitExternalSemaphoresAsync", 12000, "cuWaitExternalSemaphoresAsync"),
    ]

    @Test("The table answers with the variant that the caller's headers mean")
    func lookups() throws {
        let library = try Fixtures.real().cuda
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("proc-table-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        for file in ProcTableEmitter(library: library).files { _ = try file.writeIfChanged(root: folder) }
        try program(library).write(
            to: folder.appendingPathComponent("main.c"), atomically: true, encoding: .utf8)
        let table = "Sources/Client/CUDAProcTable"
        try run(
            ["clang", "-Wall", "-Werror", "-I\(table)/include", "\(table)/CUDAProcTable.c", "main.c", "-o", "ask"],
            in: folder)
        let answers = try run(["./ask"], in: folder).split(separator: "\n").map(String.init)
        #expect(answers.count == ProcTableTests.questions.count)
        for (question, answer) in zip(ProcTableTests.questions, answers) {
            #expect(answer == question.answer, "\(question.name) \(question.version) flags \(question.flags)")
        }
    }

    private func program(_ library: LibraryDescription) -> String {
        var text = "#include <stdio.h>\n#include \"CUDAProcTable.h\"\n"
        for function in library.functions { text += "void \(function.name)(void) {}\n" }
        text += "static const char *name(void *p) {\n"
        for function in library.functions {
            text += "if (p == (void *)\(function.name)) return \"\(function.name)\";\n"
        }
        text += "return \"?\"; }\nint main(void) { void *p; int r;\n"
        for question in ProcTableTests.questions {
            text += "r = roost_proc_lookup(\"\(question.name)\", \(question.version), \(question.flags), &p);\n"
            text += "if (r) printf(\"%s%d\\n\", p ? \"!\" : \"\", r); else puts(name(p));\n"
        }
        return text + "return 0; }\n"
    }

    @discardableResult
    private func run(_ arguments: [String], in folder: URL) throws -> String {
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = arguments
        process.currentDirectoryURL = folder
        process.standardOutput = output
        try process.run()
        let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        try #require(process.terminationStatus == 0)
        return text
    }
}
