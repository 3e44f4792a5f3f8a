import FleetModel
import NIOCore
import NIOHTTP1

/// Gives the refusal of what is no HTTP request the form of all others. Such a request never comes to the responder:
/// the server below it answers 400 without a body and closes the connection.
final class MalformedRequestHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// Puts the handler behind HTTP's decoder; it stands where the server lets others stand, which is further back.
    final class Installer: ChannelInboundHandler, RemovableChannelHandler {
        typealias InboundIn = NIOAny

        func handlerAdded(context: ChannelHandlerContext) {
            let pipeline = context.pipeline.syncOperations
            do {
                let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
                try pipeline.addHandler(MalformedRequestHandler(), position: .after(decoder))
            } catch {
                context.fireErrorCaught(error)
            }
            pipeline.removeHandler(context: context, promise: nil)
        }
    }

    private var defect: HTTPParserError?

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let error = error as? HTTPParserError { defect = error }
        context.fireErrorCaught(error)
    }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard let defect, case .head(var head) = unwrapOutboundIn(data), head.status == .badRequest,
            head.headers.first(name: "Content-Length") == "0", let body = MalformedRequestHandler.body(defect)
        else { return context.write(data, promise: promise) }
        head.headers.replaceOrAdd(name: "Content-Length", value: "\(body.count)")
        head.headers.add(name: "Content-Type", value: "application/problem+json")
        context.write(wrapOutboundOut(.head(head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: body)))), promise: promise)
    }

    private static func body(_ defect: HTTPParserError) -> [UInt8]? {
        let detail =
            defect == .headerOverflow
            ? "the address or the headers are too long: 16 KiB for each, 32 KiB and 100 headers are the most"
            : "the request breaks HTTP's rules: \(defect)"
        return try? jsonBytes(Problem(.badRequest, detail))
    }
}
