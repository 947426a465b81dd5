import java.util.Map;
import org.komamitsu.fluency.EventTime;
import org.komamitsu.fluency.Fluency;
import org.komamitsu.fluency.fluentd.FluencyBuilderForFluentd;

/** Sends one event with Fluency and waits for its ack: FluencySender PORT TAG MESSAGE. */
public class FluencySender {
    private static final int LIMIT_S = 20;

    public static void main(String[] args) throws Exception {
        FluencyBuilderForFluentd builder = new FluencyBuilderForFluentd();
        builder.setAckResponseMode(true);
        builder.setSenderMaxRetryCount(0);
        builder.setErrorHandler(Throwable::printStackTrace);
        Fluency fluency = builder.build("127.0.0.1", Integer.parseInt(args[0]));
        fluency.emit(args[1], EventTime.fromEpochMilli(System.currentTimeMillis()), Map.of("message", args[2]));
        fluency.flush();
        boolean isFlushed = fluency.waitUntilAllBufferFlushed(LIMIT_S);
        fluency.close();
        boolean isEnded = fluency.waitUntilFlusherTerminated(LIMIT_S);
        System.exit(isFlushed && isEnded ? 0 : 1);
    }
}
