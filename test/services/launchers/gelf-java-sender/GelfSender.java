import biz.paluch.logging.gelf.jul.GelfLogHandler;
import java.util.logging.Level;
import java.util.logging.LogRecord;

/** Sends one message with logstash-gelf's handler for java.util.logging: GelfSender PORT udp|tcp MESSAGE. */
public class GelfSender {
    public static void main(String[] args) {
        GelfLogHandler handler = new GelfLogHandler();
        handler.setHost(args[1] + ":127.0.0.1");
        handler.setPort(Integer.parseInt(args[0]));
        handler.setOriginHost("java-host");
        handler.setAdditionalFields("client=logstash-gelf");
        LogRecord record = new LogRecord(Level.INFO, args[2]);
        record.setLoggerName("shop");
        handler.publish(record);
        handler.close();
    }
}
